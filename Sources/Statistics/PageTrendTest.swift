/// Page's test of an ascending trend: whether values rise from column to column, within rows that each are
/// one subject (a seed, say). One-sided, by the normal approximation.
///
/// - Parameter rows: (subjects, treatments); the columns stand in the order in which values should rise.
/// - Returns: Page's L: the sum over columns of the column's number times its sum of ranks.
/// - Precondition: There are at least two rows of one length, which is at least three.
public func pageTrendTest(_ rows: [[Double]]) -> TestResult {
  let columns = rows.first?.count ?? 0
  precondition(rows.count >= 2 && columns >= 3, "Two rows of three values are needed.")
  precondition(rows.allSatisfy { $0.count == columns }, "The rows must have the same length.")
  let statistic = rows.reduce(0) { sum, row in
    zip(averageRanks(row), 1...).reduce(sum) { $0 + $1.0 * Double($1.1) }
  }
  let (m, n) = (Double(rows.count), Double(columns))
  let mean = m * n * (n + 1) * (n + 1) / 4
  let variance = m * n * n * (n + 1) * (n * n - 1) / 144
  let z = (statistic - mean) / variance.squareRoot()
  return TestResult(statistic: statistic, pValue: Distributions.normalSurvival(z))
}
