/// Wilcoxon's signed-rank test of paired values, two-sided, as `scipy.stats.wilcoxon` by default: zeros are
/// dropped, and there is no continuity correction.
///
/// The p-value is exact for up to 50 differences without zeros and ties, and for up to 13 with them (over all
/// flips of signs); otherwise it comes from the normal approximation with the correction of the variance for
/// ties.
///
/// - Parameter differences: One difference per pair, (n).
/// - Returns: The smaller sum of ranks; nil if no difference is other than 0.
public func wilcoxonSignedRank(_ differences: [Double]) -> TestResult? {
  let values = differences.filter { $0 != 0 }
  guard !values.isEmpty else { return nil }
  let ranks = averageRanks(values.map(abs))
  let ties = tieCounts(ranks)
  let positive = zip(values, ranks).reduce(0) { $1.0 > 0 ? $0 + $1.1 : $0 }
  let total = Double(values.count * (values.count + 1) / 2)
  let isPlain = values.count == differences.count && ties.isEmpty
  let isExact = differences.count <= (isPlain ? 50 : 13)
  let smaller = min(positive, total - positive)
  let pValue = isExact ? exactP(ranks, smaller) : normalP(values.count, ties, smaller)
  return TestResult(statistic: smaller, pValue: min(pValue, 1))
}

/// Twice the share of flips whose sum of positive ranks is at most `sum`. Counts flips by twice that sum,
/// which is whole with ties too.
private func exactP(_ ranks: [Double], _ sum: Double) -> Double {
  var counts: [Double] = [1]
  for rank in ranks.map({ Int(2 * $0) }) {
    let old = counts
    counts += [Double](repeating: 0, count: rank)
    for place in old.indices { counts[place + rank] += old[place] }
  }
  let below = counts[...Int(2 * sum)].reduce(0, +)
  return 2 * below / counts.reduce(0, +)
}

private func normalP(_ count: Int, _ ties: [Int], _ sum: Double) -> Double {
  let n = Double(count)
  let tied = ties.reduce(0.0) { $0 + Double($1) * Double($1) * Double($1) - Double($1) }
  let variance = (n * (n + 1) * (2 * n + 1) - tied / 2) / 24
  return 2 * Distributions.normalCDF((sum - n * (n + 1) / 4) / variance.squareRoot())
}
