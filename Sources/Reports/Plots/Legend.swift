/// The names of curves above the plot, side by side if they are short, else below each other.
///
/// Written here and not by gnuplot, whose legend leaves out names where it misjudges the space.
struct Legend: Sendable {
  /// How a curve looks.
  enum Sign: Sendable {
    /// A line in the curve's colour and dashes, with or without its marker.
    case line(hasMarker: Bool)
    /// A filled box.
    case box
    /// The thin line of the diagonal.
    case diagonal
  }

  /// One curve: its name, whether it has no values, and how it looks.
  struct Entry: Sendable {
    let name: String
    let isEmpty: Bool
    let sign: Sign

    init(_ name: String, isEmpty: Bool, _ sign: Sign) {
      self.name = name
      self.isEmpty = isEmpty
      self.sign = sign
    }

    fileprivate var text: String {
      let text = isEmpty ? name + " (no data)" : name
      return text.count > 52 ? text.prefix(51) + "…" : text
    }

    /// The width in pixels, at about 8.5 a character.
    fileprivate var width: Double { Double(text.count) * 8.5 + 64 }
  }

  let entries: [Entry]
  private static let rowHeight = 22.0, left = 20.0, signWidth = 36.0

  init(_ entries: [Entry]) { self.entries = entries }

  private var isOneRow: Bool { entries.reduce(Self.left) { $0 + $1.width } <= 516 }

  /// The pixels above the plot that it takes.
  var height: Double { 14 + Self.rowHeight * (isOneRow ? 1 : Double(entries.count)) }

  var svg: String {
    var x = Self.left, y = 14.0
    var text = "<g font-family=\"sans-serif\" font-size=\"15\" fill=\"black\">\n"
    for (index, entry) in entries.enumerated() {
      text += sign(entry.sign, index, x, y)
      text += "<text x=\"\(x + Self.signWidth + 8)\" y=\"\(y + 5)\">\(escaped(entry.text))</text>\n"
      if isOneRow { x += entry.width } else { y += Self.rowHeight }
    }
    return text + "</g>\n"
  }

  private func sign(_ sign: Sign, _ index: Int, _ x: Double, _ y: Double) -> String {
    if case .diagonal = sign {
      let path = "M\(x),\(y) h\(Self.signWidth)"
      return "<path stroke=\"black\" fill=\"none\" stroke-dasharray=\"3,4\" d=\"\(path)\"/>\n"
    }
    let color = Palette.light[index]
    switch sign {
    case .line(let hasMarker):
      let dashes = Palette.dashes[index].filter { "0123456789,".contains($0) }
      let pattern = dashes.isEmpty ? "" : " stroke-dasharray=\"\(dashes)\""
      let line = """
        <path stroke="\(color)" fill="none" stroke-width="2"\(pattern) d="M\(x),\(y) h\(Self.signWidth)"/>

        """
      guard hasMarker else { return line }
      let place = "translate(\(x + Self.signWidth / 2),\(y)) scale(3.6)"
      return line
        + "<use href=\"#gpPt\(Palette.markers[index] - 1)\" transform=\"\(place)\" color=\"\(color)\"/>\n"
    case .box, .diagonal:
      return """
        <rect x="\(x)" y="\(y - 6)" width="\(Self.signWidth)" height="12" stroke="\(color)" fill="\(color)" \
        fill-opacity="0.35"/>

        """
    }
  }
}
