import Foundation

/// The largest entropy of K probabilities whose maximum is p1: h(p1) + (1 - p1) log(K - 1), where h is the
/// binary entropy. It falls from log K to 0 as p1 goes from 1 / K to 1.
///
/// - Parameters:
///   - confidence: p1, in 1/K ... 1.
///   - classCount: K, at least 2.
/// - Returns: The entropy in nats.
public func entropyCap(confidence: Double, classCount: Int) -> Double {
  precondition(classCount >= 2 && confidence * Double(classCount) >= 1 && confidence <= 1)
  let rest = 1 - confidence
  let ofRest = rest > 0 ? rest * (log(Double(classCount - 1)) - log(rest)) : 0
  return ofRest - confidence * log(confidence)
}

/// The largest confidence of K probabilities with an entropy: the inverse of
/// ``entropyCap(confidence:classCount:)``.
///
/// - Parameters:
///   - entropy: In nats, at least 0; above log K it counts as log K.
///   - classCount: K, at least 2.
/// - Returns: The confidence, in 1/K ... 1.
public func confidenceCap(entropy: Double, classCount: Int) -> Double {
  1 / (1 + Double(classCount - 1) * exp(-gapCap(entropy: entropy, classCount: classCount)))
}

/// The largest gap between the two largest logits of one sample whose prediction has an entropy:
/// log((K - 1) P / (1 - P)) with P of ``confidenceCap(entropy:classCount:)``. It is reached when all logits
/// but the largest are equal. A mean entropy does not bound a mean gap.
///
/// - Parameters:
///   - entropy: In nats, at least 0; above log K it counts as log K.
///   - classCount: K, at least 2.
/// - Returns: The gap: infinity for entropy 0, 0 for log K.
public func gapCap(entropy: Double, classCount: Int) -> Double {
  precondition(classCount >= 2 && entropy >= 0, "The entropy must be at least 0.")
  guard entropy > 0 else { return .infinity }
  guard entropy < log(Double(classCount)) else { return 0 }
  var (low, high) = (0.0, 1.0)
  while spikeEntropy(gap: high, classCount: classCount) > entropy { (low, high) = (high, 2 * high) }
  // Bisection down to neighbouring numbers; the upper end is a bound in spite of rounding.
  while case let middle = (low + high) / 2, middle > low && middle < high {
    if spikeEntropy(gap: middle, classCount: classCount) > entropy { low = middle } else { high = middle }
  }
  return high
}

/// The entropy of the softmax of one logit `gap` and K - 1 logits of 0; falls with the gap.
private func spikeEntropy(gap: Double, classCount: Int) -> Double {
  let others = Double(classCount - 1) * exp(-gap)
  return log1p(others) + gap * others / (1 + others)
}
