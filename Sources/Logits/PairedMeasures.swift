import Dispatch
import Statistics

/// The measures of two networks on the same samples, and of the samples that both classify correctly.
struct PairedMeasures {
  /// On all samples; without labels there is no margin.
  private(set) var all: [Measure: PairedValues] = [:]
  /// On the samples that both classify correctly; nil without labels or without such samples.
  private(set) var jointlyCorrect: [Measure: PairedValues]?
  /// Which samples both classify correctly, by place; nil without labels.
  let isJoint: [Bool]?

  /// - Parameter joint: Whether the jointly correct samples are wanted.
  init(_ a: AlignedSamples, _ b: AlignedSamples, joint: Bool = true) throws {
    var isJoint: [Bool]?
    if joint, let correctA = try a.isCorrect(), let correctB = try b.isCorrect() {
      isJoint = zip(correctA, correctB).map { $0 && $1 }
    }
    self.isJoint = isJoint
    let jointCount = isJoint?.count { $0 } ?? 0
    if jointCount > 0 { jointlyCorrect = [:] }
    for measure in Measure.allCases {
      guard var x = try a.values(measure), var y = try b.values(measure) else { continue }
      if let isJoint, jointCount > 0 { moveToFront(&x, &y, isJoint) }
      let sizes = jointCount > 0 ? [jointCount, x.count] : [x.count]
      let values = PairedValues.all(&x, &y, first: sizes)
      all[measure] = values.last!
      if jointCount > 0 { jointlyCorrect![measure] = values[0] }
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
  /// What resampled mean differences are drawn from.
  let cluster: ClusterBootstrap.Source
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
        wilcoxonP: differences.wilcoxonP, cluster: differences.cluster,
        distances: DistributionDistances(ascending: b, a))
    }
  }

  private struct Differences {
    let mean, shareLower: Double
    let cohenDz, wilcoxonP: Double?
    let cluster: ClusterBootstrap.Source

    init(_ standard: ArraySlice<Double>, _ robust: ArraySlice<Double>) {
      let values = zip(standard, robust).map { $1 - $0 }
      mean = Logits.mean(values)
      shareLower = Double(values.count { $0 < 0 }) / Double(values.count)
      cohenDz = Statistics.cohenDz(values)
      cluster = ClusterBootstrap.Source(values)
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
