import FileFormats
import Foundation

/// A picture inside a plot, below the lines that gnuplot draws.
struct PlacedImage: Sendable {
  let png: PNG
  /// Position and size in the plot's pixels, from the top left.
  let x, y, width, height: Double

  var svg: String {
    """
    <image x="\(x)" y="\(y)" width="\(width)" height="\(height)" preserveAspectRatio="none" \
    style="image-rendering: pixelated" href="\(png.dataURI)"/>

    """
  }
}

/// gnuplot's SVG, made fit for a page: named, with ids of its own, and with images below its lines.
struct Drawing {
  private(set) var text: String

  /// The colour by which lines of the grid are recognised.
  static let gridColor = "#d0d0d2"

  /// - Throws: ``TemperError`` if the text is not gnuplot's.
  init(_ drawn: String, of plot: Plot, prefix: String) throws {
    // Everything up to the canvas is the head: size, gnuplot's own title and description.
    guard let canvas = drawn.range(of: "<g id=\"gnuplot_canvas\">") else {
      throw TemperError(
        .io, file: "gnuplot", "writes SVG of an unknown form", remedy: "Install gnuplot 5.4 or 6.")
    }
    var body = String(drawn[canvas.upperBound...].trimmingCharacters(in: .whitespacesAndNewlines))
    body.replace(/<title>[^<]*<\/title>/, with: "")
    body.replace(/<g [^<>]*>\s*<\/g>\n?/, with: "")
    body.replace(/<filter [^>]*>.*?<\/filter>/.dotMatchesNewlines(), with: "")
    if let end = body.range(of: "</defs>") {
      let additions = plot.content.images.map(\.svg).joined() + (plot.content.legend?.svg ?? "")
      body.insert(contentsOf: "\n" + additions, at: end.upperBound)
    }
    body = body.replacingOccurrences(of: "xlink:href", with: "href")
    body.replace(/\bid=(['"])/) { "id=\($0.output.1)\(prefix)-" }
    body.replace(/href=(['"])#/) { "href=\($0.output.1)#\(prefix)-" }
    text = """
      <svg xmlns="http://www.w3.org/2000/svg" \(Self.viewBox(drawn)) role="img" \
      aria-labelledby="\(prefix)-title \(prefix)-desc">
      <title id="\(prefix)-title">\(escaped(plot.title))</title>
      <desc id="\(prefix)-desc">\(escaped(plot.message))</desc>
      <g>\(body)

      """
  }

  private static func viewBox(_ drawn: String) -> String {
    guard let match = drawn.firstMatch(of: /viewBox="0 0 (\d+) (\d+)"/) else { return "" }
    // In a page at most a little enlarged, so that the letters of all plots have one size.
    let style = "max-width: \(Int(Double(match.output.1)! * 1.1))px"
    return "width=\"\(match.output.1)\" height=\"\(match.output.2)\" \(match.output.0) style=\"\(style)\""
  }

  /// The drawing with the page's colours, which follow the reader's choice of light or dark.
  var withThemeColors: Drawing {
    var copy = self
    for (index, color) in Palette.light.enumerated() {
      copy.replace(color, with: "var(--series-\(index + 1))")
      copy.text = copy.text.replacingOccurrences(of: color, with: "var(--series-\(index + 1))")
    }
    copy.replace(Self.gridColor, with: "var(--grid)")
    copy.replace("#000000", with: "currentColor")
    for quote in ["\"", "'"] {
      for color in ["black", "white"] {
        copy.text = copy.text.replacingOccurrences(
          of: "\(quote)\(color)\(quote)", with: "\(quote)currentColor\(quote)")
      }
    }
    return copy
  }

  private mutating func replace(_ hex: String, with name: String) {
    let value = Int(hex.dropFirst(), radix: 16)!
    let (red, green, blue) = (value >> 16, value >> 8 & 0xFF, value & 0xFF)
    for format in ["rgb(%3d, %3d, %3d)", "rgb(%d,%d,%d)"] {
      text = text.replacingOccurrences(of: String(format: format, red, green, blue), with: name)
    }
  }
}
