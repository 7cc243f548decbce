import Foundation

extension ClassGraph {
  /// A place in the picture's pixels, from the top left.
  private typealias Point = SIMD2<Double>

  private static let centre = Point(230, 190)
  /// Whether labels must stand along the radii, because side by side there is no space for them.
  private var isDense: Bool { classes.count > 14 }
  private var radius: Double { isDense ? 100 : 128 }
  /// Between a node's centre and the ends of its edges.
  private var clearance: Double { isDense ? 6 : 11 }

  /// The picture of 460 x 420 pixels, with the colours that the page's style sheet defines.
  /// - Parameter prefix: Begins every id; no other element of the page may have ids that begin with it.
  package func svg(prefix: String) -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" width="460" height="420" viewBox="0 0 460 420" style="max-width: 506px" \
    role="img" aria-labelledby="\(prefix)-title \(prefix)-desc">
    <title id="\(prefix)-title">\(escaped(title))</title>
    <desc id="\(prefix)-desc">\(escaped(message + " " + remark))</desc>
    <g fill="none" stroke="var(--series-\(series + 1))">
    \(edges.map(arrow).joined(separator: "\n"))
    </g>
    <g font-size="\(isDense ? 12 : 13)" fill="currentColor">
    \(classes.indices.map(node).joined(separator: "\n"))
    \(legend)
    </g>
    </svg>
    """
  }

  /// Pixels of a line's width.
  private func width(_ share: Double) -> String {
    String(format: "%.2f", (0.8 + 9 * share) * (isDense ? 0.5 : 1))
  }
  private func opacity(_ share: Double) -> String { String(format: "%.2f", 0.3 + 0.7 * share.squareRoot()) }

  /// Where the n-th drawn class is, at a distance from the centre; the first one is at the top.
  private func point(_ place: Int, _ distance: Double) -> Point {
    let angle = 2 * Double.pi * Double(place) / Double(classes.count) - .pi / 2
    return Self.centre + distance * Point(cos(angle), sin(angle))
  }

  /// A curve that bends to one side of its direction, so that two opposite edges stay apart, and its head.
  private func arrow(_ edge: Edge) -> String {
    let a = point(classes.firstIndex(of: edge.from)!, radius)
    let b = point(classes.firstIndex(of: edge.to)!, radius)
    let middle = (a + b) / 2
    let control = middle + 0.14 * Point(a.y - b.y, b.x - a.x) + 0.12 * (Self.centre - middle)
    let (start, direction) = (a + clearance * unit(control - a), unit(b - control))
    let tip = b - clearance * direction
    // Heads grow more slowly than lines, which end inside of them, and leave some of a short line.
    let space = ((b - a) * (b - a)).sum().squareRoot() - 2 * clearance
    let scale = min(isDense ? 0.5 : 1, 0.6 * space / (6 + 9 * edge.share))
    let base = tip - scale * (6 + 9 * edge.share) * direction
    let across = max(isDense ? 0.4 : 0.6, scale) * (2.5 + 7 * edge.share) * Point(-direction.y, direction.x)
    let name = "\(names[edge.from]) to \(names[edge.to]): \(percentText(edge.share))"
    let curve = "M\(text(start)) Q\(text(control)) \(text(base + direction))"
    let head = "M\(text(tip)) L\(text(base + across)) L\(text(base - across)) Z"
    return """
      <g opacity="\(opacity(edge.share))"><title>\(escaped(name))</title>\
      <path d="\(curve)" stroke-width="\(width(edge.share))"/>\
      <path d="\(head)" fill="var(--series-\(series + 1))" stroke="none"/></g>
      """
  }

  private func node(_ place: Int) -> String {
    let circle = point(place, radius)
    let name = names[classes[place]]
    let most = isDense ? 11 : 14
    let short = name.count > most ? name.prefix(most - 1) + "…" : name[...]
    return """
      <circle cx="\(number(circle.x))" cy="\(number(circle.y))" r="\(isDense ? 4 : 6)" fill="var(--page)" \
      stroke="currentColor"/><text \(labelPlace(place))><title>\(escaped(name))</title>\(escaped(String(short)))</text>
      """
  }

  /// Where the n-th class's label stands, as attributes.
  private func labelPlace(_ place: Int) -> String {
    let label = point(place, radius + (isDense ? 10 : 16))
    let side = (label.x - Self.centre.x) / radius
    if isDense {
      let turn = 360 * Double(place) / Double(classes.count) - (side >= 0 ? 90 : 270)
      let anchor = side >= 0 ? "start" : "end"
      return
        "transform=\"translate(\(text(label))) rotate(\(number(turn)))\" y=\"4\" text-anchor=\"\(anchor)\""
    }
    let isCentred = abs(side) < 0.25
    let anchor = isCentred ? "middle" : side > 0 ? "start" : "end"
    // Half the height of letters, but above and below the circle where the label is centred.
    let drop = isCentred ? (label.y < Self.centre.y ? 2.0 : 9.0) : 4.5
    return "x=\"\(number(label.x))\" y=\"\(number(label.y + drop))\" text-anchor=\"\(anchor)\""
  }

  /// Lines of three shares with their numbers.
  private var legend: String {
    [0.1, 0.3, 0.6].enumerated().map { place, share in
      let x = 96 + 98 * place
      return """
        <path d="M\(x) 398 h36" stroke="var(--series-\(series + 1))" stroke-width="\(width(share))" \
        opacity="\(opacity(share))"/><text x="\(x + 42)" y="402.5">\(Int(share * 100)) %</text>
        """
    }.joined(separator: "\n")
  }

  private func unit(_ vector: Point) -> Point { vector / (vector * vector).sum().squareRoot() }
  private func number(_ value: Double) -> String { String(format: "%.1f", value) }
  private func text(_ point: Point) -> String { "\(number(point.x)) \(number(point.y))" }
}
