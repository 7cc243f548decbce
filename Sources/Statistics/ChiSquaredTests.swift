/// Pearson's chi-squared test that rows and columns of a table of counts are independent, without Yates'
/// correction. Rows and columns without counts are dropped.
///
/// - Parameter table: Counts, (rows, columns), not negative.
/// - Returns: The statistic with its p-value, and the degrees of freedom; nil if fewer than two rows or
///   columns have counts.
/// - Precondition: The rows have the same length.
public func chiSquaredTest(_ table: [[Double]]) -> (result: TestResult, degrees: Int)? {
  precondition(table.allSatisfy { $0.count == table[0].count }, "The rows must have the same length.")
  precondition(table.joined().allSatisfy { $0 >= 0 }, "Counts are not negative.")
  let rows = table.map { $0.reduce(0, +) }
  let columns = (table.first ?? []).indices.map { column in table.reduce(0) { $0 + $1[column] } }
  let total = rows.reduce(0, +)
  let degrees = (rows.count { $0 > 0 } - 1) * (columns.count { $0 > 0 } - 1)
  guard rows.count(where: { $0 > 0 }) > 1, degrees > 0 else { return nil }
  var statistic = 0.0
  for (row, rowSum) in zip(table, rows) where rowSum > 0 {
    for (count, columnSum) in zip(row, columns) where columnSum > 0 {
      statistic += deviation(count, rowSum * columnSum / total)
    }
  }
  return (chiSquared(statistic, degrees), degrees)
}

/// Pearson's chi-squared test that counts follow expected ones, with n - 1 degrees of freedom.
///
/// - Parameters:
///   - observed: Counts, (n).
///   - expected: Expected counts above 0, (n), with the same sum up to a relative 1e-8.
/// - Precondition: n is at least 2.
public func chiSquaredTest(observed: [Double], expected: [Double]) -> TestResult {
  precondition(
    observed.count == expected.count && observed.count > 1, "Two or more pairs of counts are needed.")
  precondition(expected.allSatisfy { $0 > 0 }, "Expected counts are above 0.")
  let (sum, expectedSum) = (observed.reduce(0, +), expected.reduce(0, +))
  precondition(
    abs(sum - expectedSum) <= 1e-8 * expectedSum, "Observed and expected counts have different sums.")
  let statistic = zip(observed, expected).reduce(0) { $0 + deviation($1.0, $1.1) }
  return chiSquared(statistic, observed.count - 1)
}

private func deviation(_ observed: Double, _ expected: Double) -> Double {
  (observed - expected) * (observed - expected) / expected
}

private func chiSquared(_ statistic: Double, _ degrees: Int) -> TestResult {
  let pValue = Distributions.chiSquaredSurvival(statistic, degrees: Double(degrees))
  return TestResult(statistic: statistic, pValue: pValue)
}
