/// The ranks of `values`, from 1; equal values share the mean of their ranks.
public func averageRanks(_ values: [Double]) -> [Double] { doubledRanks(values).map { Double($0) / 2 } }

/// Twice the ranks of `values`, whole numbers from 2 on: 4 bytes each.
///
/// - Precondition: No value is NaN, and there are fewer than 2^31.
package func doubledRanks(_ values: consuming [Double]) -> [UInt32] {
  let (sorted, order) = sorted(values)
  var ranks = [UInt32](repeating: 0, count: sorted.count)
  var start = 0
  while start < sorted.count {
    var end = start + 1
    while end < sorted.count, sorted[end] == sorted[start] { end += 1 }
    for place in start..<end { ranks[Int(order[place])] = UInt32(start + end + 1) }
    start = end
  }
  return ranks
}

/// How often each value occurs that occurs more than once.
func tieCounts(_ values: [Double]) -> [Int] {
  runs(values.sorted(), where: ==).map(\.count).filter { $0 > 1 }
}

/// The places of equal neighbours, run by run, single elements too.
func runs<Element>(_ sorted: [Element], where areEqual: (Element, Element) -> Bool) -> [Range<Int>] {
  var result: [Range<Int>] = []
  var start = 0
  for end in sorted.indices.dropFirst() where !areEqual(sorted[end - 1], sorted[end]) {
    result.append(start..<end)
    start = end
  }
  return sorted.isEmpty ? [] : result + [start..<sorted.count]
}

/// Spearman's rank correlation of two series of equal length, ties at average ranks.
///
/// - Returns: The correlation in [-1, 1] and its two-sided p-value by Student's t distribution with n - 2
///   degrees of freedom (1 for n = 2); nil if a series is constant or shorter than 2.
public func spearman(_ a: [Double], _ b: [Double]) -> TestResult? {
  precondition(a.count == b.count, "The series must have the same length.")
  return rankCorrelation(doubledRanks(a), doubledRanks(b))
}

/// ``spearman(_:_:)`` of series that are given by ``doubledRanks(_:)``.
package func rankCorrelation(_ a: [UInt32], _ b: [UInt32]) -> TestResult? {
  precondition(a.count == b.count, "The series must have the same length.")
  let centre = Double(a.count + 1)
  var (aa, ab, bb) = (0.0, 0.0, 0.0)
  for place in a.indices {
    let (x, y) = (Double(a[place]) - centre, Double(b[place]) - centre)
    aa += x * x
    ab += x * y
    bb += y * y
  }
  let scale = (aa * bb).squareRoot()
  guard scale > 0 else { return nil }
  let r = max(-1, min(1, ab / scale))
  guard a.count > 2 else { return TestResult(statistic: r, pValue: 1) }
  let degrees = Double(a.count - 2)
  let t = abs(r) * (degrees / ((1 + r) * (1 - r))).squareRoot()
  return TestResult(statistic: r, pValue: 2 * Distributions.studentTSurvival(t, degrees: degrees))
}

/// Kendall's rank correlation tau-b of two series of equal length, in [-1, 1]; nil if one is constant or
/// shorter than 2. Takes O(n log n) steps (Knight 1966).
public func kendallTau(_ a: [Double], _ b: [Double]) -> Double? {
  precondition(a.count == b.count, "The series must have the same length.")
  func pairs(_ count: Int) -> Int { count * (count - 1) / 2 }
  let order = a.indices.sorted { (a[$0], b[$0]) < (a[$1], b[$1]) }
  let tiedA = tieCounts(a).reduce(0) { $0 + pairs($1) }
  let tiedB = tieCounts(b).reduce(0) { $0 + pairs($1) }
  let tiedBoth = runs(order) { a[$0] == a[$1] && b[$0] == b[$1] }.reduce(0) { $0 + pairs($1.count) }
  let all = pairs(a.count)
  guard all > tiedA, all > tiedB else { return nil }
  var sorted = order.map { b[$0] }
  let discordant = sortCountingInversions(&sorted)
  let difference = Double(all - tiedA - tiedB + tiedBoth - 2 * discordant)
  let tau = difference / Double(all - tiedA).squareRoot() / Double(all - tiedB).squareRoot()
  return max(-1, min(1, tau))
}

/// Sorts by merging; returns how many pairs stood in descending order.
private func sortCountingInversions(_ values: inout [Double]) -> Int {
  var (inversions, width, merged) = (0, 1, values)
  while width < values.count {
    for start in stride(from: 0, to: values.count, by: 2 * width) {
      let (middle, end) = (min(start + width, values.count), min(start + 2 * width, values.count))
      var (left, right) = (start, middle)
      for place in start..<end {
        if left < middle, right == end || values[left] <= values[right] {
          merged[place] = values[left]
          left += 1
        } else {
          merged[place] = values[right]
          right += 1
          inversions += middle - left
        }
      }
    }
    swap(&values, &merged)
    width *= 2
  }
  return inversions
}
