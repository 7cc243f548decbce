import Foundation

/// Pieces of gnuplot's language.
enum Script {
  /// A string constant. In single quotes gnuplot replaces nothing, neither escapes nor commands in backquotes.
  static func quoted(_ text: String, limit: Int = 60) -> String {
    let line = String(text.map { $0.isNewline || $0.unicodeScalars.allSatisfy(isControl) ? " " : $0 })
    let short = line.count > limit ? line.prefix(limit - 1) + "…" : line[...]
    return "'" + short.replacingOccurrences(of: "'", with: "''") + "'"
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control
  }

  /// A named block of rows of numbers.
  static func data(_ name: String, _ rows: [[Double]]) -> String {
    let lines = rows.map { row in row.map { String(format: "%.7g", $0) }.joined(separator: " ") }
    return "$\(name) << EOD\n" + lines.joined(separator: "\n") + "\nEOD\n"
  }

  static func color(_ index: Int) -> String { "linecolor rgb \"\(Palette.light[index])\"" }

  /// Colour, dashes and marker of the curve `index`.
  static func style(_ index: Int) -> String {
    "\(color(index)) dashtype \(Palette.dashes[index]) linewidth 2 \(marker(index))"
  }

  static func marker(_ index: Int) -> String { "pointtype \(Palette.markers[index]) pointsize 0.7" }

  /// The commands `plot` for several curves.
  static func plot(_ curves: [String]) -> String { "plot " + curves.joined(separator: ", \\\n  ") + "\n" }
}

/// The names of curves above the plot: side by side if they are short, else below each other.
struct Legend {
  let names: [String]
  private static let rowHeight = 22

  private var isOneRow: Bool { names.reduce(0) { $0 + $1.count + 7 } <= 58 }

  /// The pixels it takes.
  var height: Int { 12 + Self.rowHeight * (isOneRow ? 1 : names.count) }

  /// Commands for the legend, and the plot below it.
  func commands(height total: Int, left: Double) -> String {
    let direction = isOneRow ? "horizontal" : "vertical maxcols 1"
    let top = 1 - Double(height) / Double(total)
    return """
      set key at screen \(left), screen 0.99 left top Left reverse \(direction) samplen 3 spacing 1.15
      set tmargin at screen \(top)

      """
  }

  /// The title of the curve `name`.
  static func title(_ name: String, isEmpty: Bool = false) -> String {
    "title \(Script.quoted(isEmpty ? name + " (no data)" : name, limit: 54))"
  }
}

/// Stops on series that cannot be told apart in a plot.
func checkSeries(_ names: [String]) {
  precondition((1...Palette.light.count).contains(names.count), "a plot takes 1 to 6 series")
  precondition(Set(names).count == names.count, "two series of a plot have the same name")
}
