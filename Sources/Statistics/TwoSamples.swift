/// The Kolmogorov-Smirnov test of two samples, two-sided: whether they come from one distribution.
///
/// The p-value is that of the one-sample statistic for n m / (n + m) samples, rounded, as
/// `scipy.stats.ks_2samp` with `method="asymp"` computes it. It is an approximation for samples of some
/// dozens and more.
///
/// - Returns: The largest distance of the two empirical distribution functions, in [0, 1].
/// - Precondition: Neither sample is empty.
public func kolmogorovSmirnov(_ a: [Double], _ b: [Double]) -> TestResult {
  let (n, m) = (Double(a.count), Double(b.count))
  var distance = 0.0
  visitSteps(a, b) { below, _ in distance = max(distance, abs(Double(below.a) / n - Double(below.b) / m)) }
  let effective = Int((n * m / (n + m)).rounded(.toNearestOrEven))
  return TestResult(
    statistic: distance, pValue: effective == 0 ? 1 : kolmogorovSurvival(distance, count: effective))
}

/// The Wasserstein-1 (earth mover's) distance of two samples, in the values' unit.
///
/// - Precondition: Neither sample is empty.
public func wassersteinDistance(_ a: [Double], _ b: [Double]) -> Double {
  let (n, m) = (Double(a.count), Double(b.count))
  var area = 0.0
  visitSteps(a, b) { below, width in area += abs(Double(below.a) / n - Double(below.b) / m) * width }
  return area
}

/// Calls `body` for each distinct value with how many numbers of each sample are at or below it, and with the
/// distance to the next value (0 for the last one).
private func visitSteps(
  _ a: [Double], _ b: [Double], body: (_ below: (a: Int, b: Int), _ width: Double) -> Void
) {
  precondition(!a.isEmpty && !b.isEmpty, "A sample is empty.")
  let (a, b) = (a.sorted(), b.sorted())
  var (i, j) = (0, 0)
  func next() -> Double? {
    if i == a.count { return j < b.count ? b[j] : nil }
    return j < b.count ? min(a[i], b[j]) : a[i]
  }
  while let value = next() {
    while i < a.count, a[i] == value { i += 1 }
    while j < b.count, b[j] == value { j += 1 }
    body((i, j), (next() ?? value) - value)
  }
}

/// Cliff's delta: the probability that a number of `a` is above one of `b`, minus the opposite one; in [-1,
/// 1]. Takes O(n log n) steps.
///
/// - Precondition: Neither sample is empty.
public func cliffsDelta(_ a: [Double], _ b: [Double]) -> Double {
  precondition(!a.isEmpty && !b.isEmpty, "A sample is empty.")
  let (n, m) = (Double(a.count), Double(b.count))
  let rankSum = averageRanks(a + b).prefix(a.count).reduce(0, +)
  // Pairs in which a is above b, ties counting half: the U of Mann and Whitney.
  let above = rankSum - n * (n + 1) / 2
  return (2 * above - n * m) / (n * m)
}
