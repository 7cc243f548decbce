/// A table of texts, shown in HTML and in Markdown. The first cell of each row names the row.
public struct Table: Sendable {
  /// A column's heading and how its cells are aligned.
  public struct Column: Sendable {
    let title: String
    let isNumeric: Bool

    /// A column of words, aligned to the left.
    public static func text(_ title: String) -> Column { Column(title: title, isNumeric: false) }

    /// A column of numbers, aligned to the right.
    public static func number(_ title: String) -> Column { Column(title: title, isNumeric: true) }
  }

  let caption: String
  let columns: [Column]
  let rows: [[String]]

  /// Creates a table.
  /// - Parameters:
  ///   - caption: What the table shows; also the name of its scrolling region for screen readers.
  ///   - columns: At least one.
  ///   - rows: Each with one text per column.
  public init(_ caption: String, columns: [Column], rows: [[String]]) {
    precondition(!columns.isEmpty, "a table needs a column")
    precondition(rows.allSatisfy { $0.count == columns.count }, "a row does not have one cell per column")
    self.caption = caption
    self.columns = columns
    self.rows = rows
  }

  /// The table without columns of numbers in which every cell is a dash, as those of intervals with one seed.
  var withoutEmptyColumns: Table {
    let kept = columns.indices.filter { column in
      !columns[column].isNumeric || rows.isEmpty || rows.contains { $0[column] != "–" }
    }
    return Table(caption, columns: kept.map { columns[$0] }, rows: rows.map { row in kept.map { row[$0] } })
  }

  /// The table as a pipe table of Markdown, without its caption.
  public var markdown: String {
    func line(_ cells: [String]) -> String {
      "| " + cells.map(Self.markdownCell).joined(separator: " | ") + " |"
    }
    let rule = "|" + columns.map { $0.isNumeric ? "--:|" : "---|" }.joined()
    return ([line(columns.map(\.title)), rule] + rows.map(line)).joined(separator: "\n")
  }

  private static func markdownCell(_ text: String) -> String {
    text.replacing("|", with: "\\|").replacing("\n", with: " ")
  }

  /// The table in a region that scrolls sideways and can be reached with the keyboard.
  var html: String {
    let head = columns.map { "<th scope=\"col\"\(Self.style($0))>\(escaped($0.title))</th>" }.joined()
    let body = rows.map { cells in
      let rest = zip(cells, columns).dropFirst().map { "<td\(Self.style($1))>\(escaped($0))</td>" }
      return "<tr><th scope=\"row\"\(Self.style(columns[0]))>\(escaped(cells[0]))</th>\(rest.joined())</tr>\n"
    }
    return """
      <div class="wide" role="region" tabindex="0" aria-label="\(escaped(caption))"><table>
      <caption>\(escaped(caption))</caption>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(body.joined())</tbody>
      </table></div>

      """
  }

  private static func style(_ column: Column) -> String { column.isNumeric ? " class=\"number\"" : "" }
}
