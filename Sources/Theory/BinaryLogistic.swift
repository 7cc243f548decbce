import Foundation
import Randomness

/// Binary data with one strong and many weak features, and linear models trained on them against the exact
/// Linf adversary.
///
/// The label is +1 or -1 and each feature is the label times its mean plus noise of variance 1. Only the
/// product of label and feature matters, which is what is drawn and kept.
public struct BinaryLogistic: Sendable {
  /// N.
  public let sampleCount: Int
  /// d: the strong feature first, then the weak ones.
  public let featureCount: Int
  /// Label times feature, (N, d) row-major.
  package let samples: [Double]

  /// Draws the data: sample i is a function of the seed and i.
  ///
  /// - Parameters:
  ///   - sampleCount: N, at least 1.
  ///   - weakCount: How many weak features.
  ///   - strongMean: Mean of label times strong feature.
  ///   - weakMean: Mean of label times weak feature.
  ///   - seed: Seed of the draw.
  public init(
    sampleCount: Int = 20_000, weakCount: Int = 40, strongMean: Double = 1, weakMean: Double = 0.25,
    seed: UInt64 = 0
  ) {
    precondition(sampleCount >= 1 && sampleCount <= UInt32.max && weakCount >= 0)
    self.sampleCount = sampleCount
    featureCount = weakCount + 1
    let means = [strongMean] + [Double](repeating: weakMean, count: weakCount)
    samples = (0..<sampleCount).flatMap { sample in
      var stream = RandomStream(seed: seed, purpose: .simulation, sample: UInt32(sample))
      return means.map { $0 + stream.nextNormal() }
    }
  }

  /// The model that minimises mean log(1 + exp(-(m - epsilon ||w||_1))), m = label times w.x: the exact worst
  /// case within the ball, without a bias. With ever more samples the weights approach
  /// 2 max(0, mean - epsilon).
  ///
  /// - Parameter epsilon: The radius of the Linf ball, at least 0.
  /// - Returns: The optimum, or nil if Newton's method reaches none: where every sample can be classified despite the
  ///   attack, larger weights are always better, and no weights are best.
  public func trained(epsilon: Double) -> RobustModel? {
    precondition(epsilon >= 0 && epsilon.isFinite, "epsilon \(epsilon)")
    return OrthantNewton(data: self, epsilon: epsilon).minimum().map {
      RobustModel(data: self, weights: $0.weights, epsilon: epsilon, residual: $0.residual)
    }
  }

  /// m of every sample: label times w.x, (N).
  package func margins(_ weights: [Double]) -> [Double] {
    samples.withUnsafeBufferPointer { samples in
      (0..<sampleCount).map { row in
        var sum = 0.0
        for j in 0..<featureCount { sum += samples[row * featureCount + j] * weights[j] }
        return sum
      }
    }
  }
}

/// A linear model at the optimum of adversarial training on ``BinaryLogistic``. The two classes' logits are
/// w.x / 2 and -w.x / 2.
public struct RobustModel: Sendable {
  /// The radius trained against.
  public let epsilon: Double
  /// w, (d).
  public let weights: [Double]
  /// ||w||_1.
  public let weightNorm: Double
  /// The mean of |w.x| over clean samples: the gap of the two logits.
  public let meanGap: Double
  /// The share of samples with a positive margin, in [0, 1]; a margin of 0 counts as an error.
  public let cleanAccuracy: Double
  /// The same under attack.
  public let robustAccuracy: Double
  /// The mean cross-entropy under attack, in nats.
  public let crossEntropy: Double
  /// The mean entropy of the predictions under attack, in nats. Equals the cross-entropy at the optimum,
  /// since no other scale of the weights is better.
  public let entropy: Double
  /// How far the weights are from stationary: the largest element of the smallest subgradient.
  public let residual: Double

  init(data: BinaryLogistic, weights: [Double], epsilon: Double, residual: Double) {
    self.epsilon = epsilon
    self.weights = weights
    self.residual = residual
    let norm = weights.reduce(0) { $0 + abs($1) }
    let margins = data.margins(weights)
    func mean(_ term: (Double) -> Double) -> Double {
      margins.reduce(0) { $0 + term($1) } / Double(margins.count)
    }
    weightNorm = norm
    meanGap = mean(abs)
    cleanAccuracy = mean { $0 > 0 ? 1 : 0 }
    robustAccuracy = mean { $0 - epsilon * norm > 0 ? 1 : 0 }
    crossEntropy = mean { softplus(epsilon * norm - $0) }
    entropy = mean { binaryEntropy($0 - epsilon * norm) }
  }
}
