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
  let distance = DistributionDistances(a, b).kolmogorovSmirnov
  let effective = Int((n * m / (n + m)).rounded(.toNearestOrEven))
  return TestResult(
    statistic: distance, pValue: effective == 0 ? 1 : kolmogorovSurvival(distance, count: effective))
}

/// The Wasserstein-1 (earth mover's) distance of two samples, in the values' unit.
///
/// - Precondition: Neither sample is empty.
public func wassersteinDistance(_ a: [Double], _ b: [Double]) -> Double {
  DistributionDistances(a, b).wasserstein
}

/// Cliff's delta: the probability that a number of `a` is above one of `b`, minus the opposite one; in [-1,
/// 1]. Takes O(n log n) steps.
///
/// - Precondition: Neither sample is empty.
public func cliffsDelta(_ a: [Double], _ b: [Double]) -> Double {
  DistributionDistances(a, b).cliffsDelta
}

/// How far two samples differ as distributions, in one pass over both in order.
package struct DistributionDistances {
  /// The largest distance of the empirical distribution functions, in [0, 1].
  package private(set) var kolmogorovSmirnov = 0.0
  /// The area between them, in the values' unit.
  package private(set) var wasserstein = 0.0
  /// P(a > b) - P(a < b), in [-1, 1].
  package private(set) var cliffsDelta = 0.0

  fileprivate init(_ a: [Double], _ b: [Double]) {
    var (a, b) = (a, b)
    sort(&a)
    sort(&b)
    self.init(ascending: a[...], b[...])
  }

  /// - Precondition: Both samples are in ascending order and not empty.
  package init(ascending a: ArraySlice<Double>, _ b: ArraySlice<Double>) {
    precondition(!a.isEmpty && !b.isEmpty, "A sample is empty.")
    let (n, m) = (Double(a.count), Double(b.count))
    var (i, j) = (a.startIndex, b.startIndex)
    func next() -> Double? {
      if i == a.endIndex { return j < b.endIndex ? b[j] : nil }
      return j < b.endIndex ? min(a[i], b[j]) : a[i]
    }
    // Twice the number of pairs in which a is above b, ties counting half: twice the U of Mann and Whitney.
    var above = 0
    var value = next()
    while let current = value {
      let (startA, startB) = (i, j)
      while i < a.endIndex, a[i] == current { i += 1 }
      while j < b.endIndex, b[j] == current { j += 1 }
      above += (i - startA) * (startB - b.startIndex + j - b.startIndex)
      value = next()
      let distance = abs(Double(i - a.startIndex) / n - Double(j - b.startIndex) / m)
      kolmogorovSmirnov = max(kolmogorovSmirnov, distance)
      wasserstein += distance * ((value ?? current) - current)
    }
    cliffsDelta = (Double(above) - n * m) / (n * m)
  }
}
