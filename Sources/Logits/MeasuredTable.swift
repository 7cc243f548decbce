/// A table with its measures, which a study uses many times.
struct MeasuredTable {
  let table: LogitTable
  let measures: Measures

  init(_ table: LogitTable) {
    self.table = table
    measures = table.measures()
  }

  /// The rows that this and another table of the same samples predict right; nil without labels or without such rows.
  func jointlyCorrect(with other: MeasuredTable) -> [Int]? {
    guard let a = measures.isCorrect, let b = other.measures.isCorrect else { return nil }
    let rows = a.indices.filter { a[$0] && b[$0] }
    return rows.isEmpty ? nil : rows
  }
}
