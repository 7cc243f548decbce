/// Student's t test of paired values: whether their mean difference is 0, two-sided.
///
/// - Parameter differences: One difference per pair, (n).
/// - Returns: t with n - 1 degrees of freedom; nil for n < 2 or differences that are all equal.
public func pairedTTest(_ differences: [Double]) -> TestResult? {
  guard let moments = Moments(differences) else { return nil }
  let t = moments.mean / moments.standardError
  let tail = Distributions.studentTSurvival(abs(t), degrees: moments.degrees)
  return TestResult(statistic: t, pValue: 2 * tail)
}

/// The confidence interval of the mean by Student's t distribution.
///
/// - Parameters:
///   - values: (n).
///   - level: The probability that such an interval holds the true mean, in (0, 1).
/// - Returns: Nil for n < 2 or values that are all equal, from which no spread can be told.
public func tInterval(_ values: [Double], level: Double = 0.95) -> Interval? {
  precondition(level > 0 && level < 1, "A level lies between 0 and 1.")
  guard let moments = Moments(values) else { return nil }
  let reach = Distributions.upperT((1 - level) / 2, moments.degrees) * moments.standardError
  return Interval(lower: moments.mean - reach, upper: moments.mean + reach)
}

/// Equivalence of paired values by two one-sided t tests (TOST, Schuirmann 1987).
///
/// - Parameters:
///   - differences: One difference per pair, (n).
///   - margin: Mean differences between -margin and +margin count as equivalent; not negative.
/// - Returns: The larger of the two one-sided p-values: a small one says that the mean difference lies within
///   the margin. Nil for n < 2 or differences that are all equal.
public func equivalenceTest(_ differences: [Double], margin: Double) -> Double? {
  precondition(margin >= 0, "A margin is not negative.")
  guard let moments = Moments(differences) else { return nil }
  let nearest = (margin - abs(moments.mean)) / moments.standardError
  return Distributions.studentTSurvival(nearest, degrees: moments.degrees)
}

/// Cohen's effect size of paired values: the mean difference in units of the differences' sample standard
/// deviation; nil for fewer than two differences or differences that are all equal.
public func cohenDz(_ differences: [Double]) -> Double? {
  Moments(differences).map { $0.mean / $0.standardDeviation }
}
