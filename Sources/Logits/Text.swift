import Foundation

/// `value` with four decimals, or in exponent form where these say nothing.
func decimal(_ value: Double) -> String {
  let magnitude = abs(value)
  let isPlain = magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e6)
  return String(format: isPlain ? "%.4f" : "%.3e", value)
}

/// A share in [0, 1] in percent with two decimals.
func percent(_ share: Double) -> String {
  String(format: "%.2f %%", 100 * share)
}

/// `rows` as lines with the first column left-aligned and the others right-aligned.
package func aligned(_ rows: [[String]]) -> String {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    row.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return column == 0 ? cell + padding : padding + cell
    }.joined(separator: "  ")
  }.joined(separator: "\n")
}

extension Encodable {
  /// This value as indented JSON with sorted keys, so that equal values give equal text.
  package func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
