import Dispatch
import Statistics

/// The measures of pairs of networks on the same samples, and of the samples that both networks of a pair classify correctly.
///
/// One measure of all pairs after the other: with S pairs of N samples only its 8 S N bytes of differences are in memory, beside
/// what a single pair takes; with one pair none are.
struct PairedMeasures {
  /// What is known of each pair.
  private(set) var pairs: [Pair]
  /// What resampled mean differences on all samples are drawn from, for all pairs together; empty with one pair.
  private(set) var allMeans: [Measure: ClusterBootstrap.JointMeans] = [:]
  /// The same on each pair's jointly correct samples, of which those count together that pairs share; empty if a pair has none.
  private(set) var jointMeans: [Measure: ClusterBootstrap.JointMeans] = [:]

  /// The measures of one pair.
  struct Pair {
    /// On all samples; without labels there is no margin.
    fileprivate(set) var all: [Measure: PairedValues] = [:]
    /// On the samples that both classify correctly; nil without labels or without such samples.
    fileprivate(set) var jointlyCorrect: [Measure: PairedValues]?
    /// Which samples both classify correctly, by place; nil without labels.
    let isJoint: [Bool]?
    private let jointCount: Int

    fileprivate init(_ a: AlignedSamples, _ b: AlignedSamples, joint: Bool) throws {
      var isJoint: [Bool]?
      if joint, let correctA = try a.isCorrect(), let correctB = try b.isCorrect() {
        isJoint = zip(correctA, correctB).map { $0 && $1 }
      }
      self.isJoint = isJoint
      jointCount = isJoint?.count { $0 } ?? 0
      if jointCount > 0 { jointlyCorrect = [:] }
    }

    fileprivate mutating func add(_ measure: Measure, _ x: inout [Double], _ y: inout [Double]) {
      if let isJoint, jointCount > 0 { moveToFront(&x, &y, isJoint) }
      let values = PairedValues.all(&x, &y, first: jointCount > 0 ? [jointCount, x.count] : [x.count])
      all[measure] = values.last!
      if jointCount > 0 { jointlyCorrect![measure] = values[0] }
    }
  }

  /// - Parameter joint: Whether the jointly correct samples are wanted.
  init(_ standard: [AlignedSamples], _ robust: [AlignedSamples], joint: Bool = true) throws {
    pairs = try zip(standard, robust).map { try Pair($0, $1, joint: joint) }
    let members = pairs.compactMap { $0.jointlyCorrect == nil ? nil : $0.isJoint }
    for measure in Measure.allCases {
      var differences: [[Double]] = []
      for (pair, networks) in zip(standard, robust).enumerated() {
        guard var x = try networks.0.values(measure), var y = try networks.1.values(measure) else { continue }
        if pairs.count > 1 { differences.append(zip(x, y).map { $1 - $0 }) }
        pairs[pair].add(measure, &x, &y)
      }
      guard differences.count == pairs.count else { continue }
      allMeans[measure] = .init(differences)
      if members.count == pairs.count { jointMeans[measure] = .init(differences, members: members) }
    }
  }
}

/// Moves the marked samples of both networks to the front, together.
private func moveToFront(_ x: inout [Double], _ y: inout [Double], _ isMarked: [Bool]) {
  var front = 0
  for place in x.indices where isMarked[place] {
    x.swapAt(front, place)
    y.swapAt(front, place)
    front += 1
  }
}

/// One measure of a standard and a robust network on the same samples: all that comparisons and effects say of it.
/// Differences are robust minus standard.
struct PairedValues {
  let standard, robust: Distribution
  /// The mean difference.
  let difference: Double
  /// The share of samples whose robust value is below the standard one.
  let shareRobustLower: Double
  /// The mean difference over the differences' standard deviation; nil if they are constant.
  let cohenDz: Double?
  /// The p of Wilcoxon's signed rank test; nil if no sample differs.
  let wilcoxonP: Double?
  /// Of robust from standard.
  let distances: DistributionDistances

  /// Describes the first so many samples, for each of the ascending counts. Both arrays are sorted in place, so that memory
  /// for twice as many numbers suffices.
  static func all(_ standard: inout [Double], _ robust: inout [Double], first counts: [Int]) -> [PairedValues]
  {
    let differences = counts.map { Differences(standard[..<$0], robust[..<$0]) }
    return zip(counts, differences).map { count, differences in
      sortBoth(&standard, &robust, first: count)
      let (a, b) = (standard[..<count], robust[..<count])
      return PairedValues(
        standard: Distribution(ascending: a), robust: Distribution(ascending: b),
        difference: differences.mean, shareRobustLower: differences.shareLower, cohenDz: differences.cohenDz,
        wilcoxonP: differences.wilcoxonP,
        distances: DistributionDistances(ascending: b, a))
    }
  }

  private struct Differences {
    let mean, shareLower: Double
    let cohenDz, wilcoxonP: Double?

    init(_ standard: ArraySlice<Double>, _ robust: ArraySlice<Double>) {
      let values = zip(standard, robust).map { $1 - $0 }
      mean = Logits.mean(values)
      shareLower = Double(values.count { $0 < 0 }) / Double(values.count)
      cohenDz = Statistics.cohenDz(values)
      wilcoxonP = wilcoxonSignedRank(consume values)?.pValue
    }
  }
}

private func sortBoth(_ a: inout [Double], _ b: inout [Double], first count: Int) {
  a.withUnsafeMutableBufferPointer { a in
    b.withUnsafeMutableBufferPointer { b in
      nonisolated(unsafe) let parts = [a, b].map { UnsafeMutableBufferPointer(rebasing: $0[..<count]) }
      DispatchQueue.concurrentPerform(iterations: 2) { sort(parts[$0]) }
    }
  }
}
