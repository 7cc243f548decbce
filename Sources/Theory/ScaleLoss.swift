import Foundation

/// The mean cross-entropy L(s) = mean CE(s z, y) of logits z as a function of one factor s >= 0 on all of
/// them.
///
/// L is convex. Its slope at s, times s, is the mean of CE - H over the samples, H being the entropy of the
/// predictions: where the factor is optimal, mean loss and mean entropy agree.
public struct ScaleLoss: Sendable {
  /// z_j - z_y for every sample and class, (N, K) row-major.
  private let differences: [Double]
  private let classCount: Int

  /// The loss of logits with labels.
  ///
  /// - Parameters:
  ///   - logits: (N, K) row-major, finite.
  ///   - classCount: K, at least 2.
  ///   - labels: (N), in 0 ..< K; N is at least 1.
  public init(logits: [Float], classCount: Int, labels: [Int32]) {
    precondition(classCount >= 2 && !labels.isEmpty && logits.count == labels.count * classCount)
    precondition(labels.allSatisfy { $0 >= 0 && $0 < classCount }, "A label is out of range.")
    self.classCount = classCount
    differences = logits.indices.map { i in
      let row = i / classCount
      return Double(logits[i]) - Double(logits[row * classCount + Int(labels[row])])
    }
    precondition(differences.allSatisfy(\.isFinite), "A logit is not finite.")
  }

  /// The loss of a binary problem: mean log(1 + exp(-s (m - c))) over the margins m.
  ///
  /// - Parameters:
  ///   - margins: (N), finite; a margin is the true class's logit minus the other one. N is at least 1.
  ///   - reduction: c, what the adversary takes off every margin at s = 1.
  public init(margins: [Double], reduction: Double = 0) {
    precondition(!margins.isEmpty && reduction.isFinite && margins.allSatisfy(\.isFinite))
    classCount = 2
    differences = margins.flatMap { [0, reduction - $0] }
  }

  /// L(s), in nats.
  public func value(at scale: Double) -> Double {
    mean { row in
      let largest = row.indices.max { row[$0] < row[$1] }!
      let others = row.indices.lazy.filter { $0 != largest }.map { exp(scale * (row[$0] - row[largest])) }
      return scale * row[largest] + log1p(others.reduce(0, +))
    }
  }

  /// L'(s): the mean of the expected logit under softmax(s z), minus the true class's logit.
  public func slope(at scale: Double) -> Double {
    mean { moments($0, scale).mean }
  }

  /// L''(s), at least 0: the mean variance of the logits under softmax(s z).
  public func curvature(at scale: Double) -> Double {
    mean { moments($0, scale).variance }
  }

  /// The factor with the smallest loss: 0 if even the smallest factor would do harm, infinity if no label has
  /// a smaller logit than another class, so that a larger factor is always better.
  public var minimiser: Double {
    guard slope(at: 0) < 0 else { return 0 }
    guard differences.contains(where: { $0 > 0 }) else { return .infinity }
    var (low, high) = (0.0, 1.0)
    while slope(at: high) < 0 {
      (low, high) = (high, 2 * high)
      guard high.isFinite else { return .infinity }
    }
    return root(low, high)
  }

  /// Newton's method for L' = 0 between two factors with L' < 0 and L' >= 0; it bisects where a step leaves
  /// them.
  private func root(_ low: Double, _ high: Double) -> Double {
    var (low, high, scale) = (low, high, (low + high) / 2)
    for _ in 0..<200 {
      let slope = slope(at: scale)
      if slope < 0 { low = scale } else { high = scale }
      var next = scale - slope / curvature(at: scale)
      if !(next > low && next < high) { next = (low + high) / 2 }
      defer { scale = next }
      if abs(next - scale) <= 1e-14 * scale { return next }
    }
    return scale
  }

  private typealias Row = UnsafeBufferPointer<Double>

  private func mean(_ term: (Row) -> Double) -> Double {
    let count = differences.count / classCount
    return differences.withUnsafeBufferPointer { all in
      (0..<count).reduce(0) { $0 + term(Row(rebasing: all[$1 * classCount..<($1 + 1) * classCount])) }
    } / Double(count)
  }

  /// Mean and variance of a row under softmax(scale row).
  private func moments(_ row: Row, _ scale: Double) -> (mean: Double, variance: Double) {
    let largest = row.max()!
    let weights = row.map { exp(scale * ($0 - largest)) }
    let total = weights.reduce(0, +)
    let mean = zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 } / total
    let variance = zip(weights, row).reduce(0) { $0 + $1.0 * ($1.1 - mean) * ($1.1 - mean) } / total
    return (mean, variance)
  }
}
