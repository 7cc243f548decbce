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

/// Stops on series that cannot be told apart in a plot.
func checkSeries(_ names: [String]) {
  precondition((1...Palette.light.count).contains(names.count), "a plot takes 1 to 6 series")
  precondition(Set(names).count == names.count, "two series of a plot have the same name")
}
