/// Wilcoxon's signed-rank test of paired values, two-sided, as `scipy.stats.wilcoxon` by default: zeros are
/// dropped, and there is no continuity correction.
///
/// The p-value is exact for up to 50 differences without zeros and ties, and for up to 13 with them (over all
/// flips of signs); otherwise it comes from the normal approximation with the correction of the variance for
/// ties.
///
/// - Parameter differences: One difference per pair, (n).
/// - Returns: The smaller sum of ranks; nil if no difference is other than 0.
public func wilcoxonSignedRank(_ differences: consuming [Double]) -> TestResult? {
  let count = differences.count
  differences.removeAll { $0 == 0 }
  guard !differences.isEmpty else { return nil }
  let ranks = SignedRanks(differences, keepsRanks: count <= 50)
  let total = Double(ranks.count * (ranks.count + 1) / 2)
  let isPlain = ranks.count == count && ranks.tied == 0
  let isExact = count <= (isPlain ? 50 : 13)
  let smaller = min(ranks.positive, total - ranks.positive)
  let pValue = isExact ? exactP(ranks.all, smaller) : normalP(ranks.count, ranks.tied, smaller)
  return TestResult(statistic: smaller, pValue: min(pValue, 1))
}

/// The ranks of numbers by size without sign.
private struct SignedRanks {
  let count: Int
  /// The ranks from the smallest on, equal ones at their mean; empty if they are not kept.
  private(set) var all: [Double] = []
  /// The sum of the positive numbers' ranks.
  private(set) var positive = 0.0
  /// The sum of t^3 - t over groups of t equal ones.
  private(set) var tied = 0.0

  /// - Parameter values: Not 0.
  init(_ values: consuming [Double], keepsRanks: Bool) {
    count = values.count
    // The size's bits, then one for the sign: sorted in the values' own memory.
    for place in values.indices {
      let key = values[place].magnitude.bitPattern << 1 | (values[place] > 0 ? 1 : 0)
      values[place] = Double(bitPattern: key)
    }
    values.withUnsafeMutableBytes { bytes in
      let keys = bytes.bindMemory(to: UInt64.self)
      radixSort(keys, order: nil)
      var start = 0
      while start < keys.count {
        var (end, above) = (start, 0)
        while end < keys.count, keys[end] >> 1 == keys[start] >> 1 {
          above += Int(keys[end] & 1)
          end += 1
        }
        let rank = Double(start + end + 1) / 2
        let size = Double(end - start)
        positive += rank * Double(above)
        tied += size * size * size - size
        if keepsRanks { all += [Double](repeating: rank, count: end - start) }
        start = end
      }
    }
  }
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

private func normalP(_ count: Int, _ tied: Double, _ sum: Double) -> Double {
  let n = Double(count)
  let variance = (n * (n + 1) * (2 * n + 1) - tied / 2) / 24
  return 2 * Distributions.normalCDF((sum - n * (n + 1) / 4) / variance.squareRoot())
}
