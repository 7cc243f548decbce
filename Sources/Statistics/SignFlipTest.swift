import Randomness

/// The two-sided p-value of the mean difference over flips of the differences' signs, which are as likely as
/// the given signs if the differences are symmetric around 0 (Fisher's randomisation test).
///
/// Up to 20 differences all 2^n flips are counted. Beyond, 20,000 flips are: the given signs and 19,999
/// random ones. The smallest exact p-value is 2 / 2^n: five seeds cannot go below 0.0625, six not below
/// 0.03125.
///
/// - Parameters:
///   - differences: One difference per pair, (n).
///   - seed: Names the random flips.
public func signFlipTest(_ differences: [Double], seed: UInt64 = 0) -> Double {
  let total = differences.reduce(0, +)
  // Sums that differ only by rounding are equal.
  let tolerance = 100 * Double.ulpOfOne * differences.reduce(0) { $0 + abs($1) }
  let threshold = abs(total) - tolerance
  return differences.count <= 20
    ? exactFlips(differences, threshold) : randomFlips(differences, threshold, seed)
}

/// The share of all flips whose sum is `threshold` or more, or -`threshold` or less.
private func exactFlips(_ differences: [Double], _ threshold: Double) -> Double {
  func sums(_ part: ArraySlice<Double>) -> [Double] {
    part.reduce(into: [0]) { sums, value in sums = sums.flatMap { [$0 + value, $0 - value] } }
  }
  let half = differences.count / 2
  let (left, right) = (sums(differences[..<half]), sums(differences[half...]))
  var extreme = 0
  for a in left {
    for b in right where abs(a + b) >= threshold { extreme += 1 }
  }
  return Double(extreme) / Double(left.count * right.count)
}

private func randomFlips(_ differences: [Double], _ threshold: Double, _ seed: UInt64) -> Double {
  let flips: UInt32 = 20_000
  let extreme = (1..<flips).count { flip in
    var stream = RandomStream(seed: seed, purpose: .signFlips, epoch: flip)
    var (sum, bits) = (0.0, UInt32(0))
    for (place, value) in differences.enumerated() {
      if place & 31 == 0 { bits = stream.nextWord() }
      sum += bits & 1 == 0 ? value : -value
      bits >>= 1
    }
    return abs(sum) >= threshold
  }
  return Double(extreme + 1) / Double(flips)
}
