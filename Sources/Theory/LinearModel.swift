import Foundation

/// A linear classifier z = W x under an adversary who moves every feature by at most epsilon.
public struct LinearModel: Sendable {
  /// W, (K, d) row-major.
  public let weights: [Double]
  /// K, at least 2.
  public let classCount: Int
  /// d, at least 1.
  public var featureCount: Int { weights.count / classCount }

  /// A model with weights W, (K, d) row-major.
  public init(weights: [Double], classCount: Int) {
    precondition(classCount >= 2 && !weights.isEmpty && weights.count % classCount == 0)
    self.weights = weights
    self.classCount = classCount
  }

  /// Bounds of the largest cross-entropy within the ball, in nats: those of ``worstCrossEntropyBounds(margins:reductions:)``
  /// with the margins m_j = z_y - z_j and the reductions epsilon q_j, where q_j is the L1 norm of w_y - w_j.
  ///
  /// - Parameters:
  ///   - features: x, (d).
  ///   - label: y, in 0 ..< K.
  ///   - epsilon: The radius of the Linf ball, at least 0.
  public func worstCrossEntropyBounds(features: [Double], label: Int, epsilon: Double) -> ClosedRange<Double>
  {
    precondition(epsilon >= 0 && label >= 0 && label < classCount && features.count == featureCount)
    let others = (0..<classCount).filter { $0 != label }.map { differences(label, $0) }
    return Theory.worstCrossEntropyBounds(
      margins: others.map { zip($0, features).reduce(0) { $0 + $1.0 * $1.1 } },
      reductions: others.map { epsilon * $0.reduce(0) { $0 + abs($1) } })
  }

  /// The largest cross-entropy within the ball, in nats. The loss is convex in x, so that a corner is worst;
  /// all 2^d corners are tried.
  ///
  /// - Parameters:
  ///   - features: x, (d), d at most 16.
  ///   - label: y, in 0 ..< K.
  ///   - epsilon: The radius of the Linf ball, at least 0.
  public func worstCrossEntropy(features: [Double], label: Int, epsilon: Double) -> Double {
    precondition(featureCount <= 16, "Too many corners.")
    precondition(epsilon >= 0 && label >= 0 && label < classCount && features.count == featureCount)
    return (0..<1 << featureCount).reduce(0) { worst, corner in
      let moved = features.indices.map { features[$0] + (corner >> $0 & 1 == 0 ? -epsilon : epsilon) }
      return max(worst, crossEntropy(moved, label))
    }
  }

  private func differences(_ label: Int, _ other: Int) -> [Double] {
    (0..<featureCount).map { weights[label * featureCount + $0] - weights[other * featureCount + $0] }
  }

  private func crossEntropy(_ features: [Double], _ label: Int) -> Double {
    let logits = (0..<classCount).map { row in
      features.indices.reduce(0.0) { $0 + weights[row * featureCount + $1] * features[$1] }
    }
    let largest = logits.max()!
    return largest - logits[label] + log(logits.reduce(0) { $0 + exp($1 - largest) })
  }
}

/// Bounds of the largest cross-entropy, in nats, of a linear classifier under an attack that can take r_j off the margin
/// m_j = z_y - z_j of each other class j.
///
/// Doing so for one class is always possible and gives at least log(1 + max_j exp(-(m_j - r_j))). Doing so for all classes at
/// once would give log(1 + sum_j exp(-(m_j - r_j))): nothing is worse, but no single move need be worst for every class. The
/// two agree for K = 2.
///
/// - Parameters:
///   - margins: m_j, (K - 1).
///   - reductions: r_j, (K - 1), at least 0.
public func worstCrossEntropyBounds(margins: [Double], reductions: [Double]) -> ClosedRange<Double> {
  precondition(!margins.isEmpty && margins.count == reductions.count)
  let losses = zip(margins, reductions).map { $1 - $0 }
  let largest = losses.max()!
  let sum = losses.reduce(0) { $0 + exp($1 - largest) }
  // log(1 + sum e^l) = softplus(largest + log sum); the sum is at least 1, so the lower bound is lower.
  return softplus(largest)...softplus(largest + log(sum))
}
