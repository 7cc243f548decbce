import Foundation

/// The temperature T that minimises the mean negative log-likelihood of softmax(logits / T) (Guo et al., "On
/// calibration of modern neural networks", 2017).
///
/// The loss is convex in 1 / T. Its minimum is found by Newton's method on the derivative, kept inside a
/// bracket.
///
/// - Parameters:
///   - logits: (N, K) row-major, finite.
///   - classCount: K.
///   - labels: The true classes, (N), in 0 ..< K.
/// - Returns: T above 0; nil where there is no such minimum: the loss falls all the way to T = 0 if the true
///   class always has the largest logit, and to infinity if its logits are on average not above the mean of
///   all.
public func fittedTemperature(logits: [Float], classCount: Int, labels: [Int32]) -> Double? {
  precondition(classCount > 0 && logits.count == labels.count * classCount, "Logits and labels must match.")
  precondition(labels.allSatisfy { 0..<classCount ~= Int($0) }, "A label is outside the classes.")
  let losses = ScaledLosses(logits: logits, classCount: classCount, labels: labels)
  return fittedTemperature(slopeAtInfinity: losses.slopeAtInfinity, losses.derivatives)
}

/// ``fittedTemperature(logits:classCount:labels:)`` of losses that are given by their derivatives.
///
/// - Parameters:
///   - slopeAtInfinity: what the slope by the inverse temperature tends to: the sum of largest minus true logits.
///   - derivatives: The slope and curvature of the summed loss at an inverse temperature.
package func fittedTemperature(
  slopeAtInfinity: Double, _ derivatives: (_ scale: Double) throws -> (slope: Double, curvature: Double)
) rethrows -> Double? {
  guard slopeAtInfinity > 0, try derivatives(0).slope < -1e-12 * slopeAtInfinity else { return nil }
  var (lower, upper, scale) = (0.0, Double.infinity, 1.0)
  for _ in 0..<200 {
    let (slope, curvature) = try derivatives(scale)
    if slope < 0 { lower = scale } else { upper = scale }
    let newton = scale - slope / curvature
    let middle = upper.isFinite ? (lower + upper) / 2 : 4 * scale
    let next = newton > lower && newton < min(upper, 4 * scale) ? newton : middle
    // Newton's method doubles the number of correct digits: seven are followed by all.
    if abs(next - scale) <= (next == newton ? 1e-7 : 1e-13) * scale { return 1 / next }
    scale = next
  }
  return 1 / scale
}

/// The sum of losses of logits times a scale, the inverse temperature.
private struct ScaledLosses {
  let logits: [Float]
  let classCount: Int
  let labels: [Int32]

  /// What the slope tends to as the scale grows: the sum of largest logits minus true ones.
  var slopeAtInfinity: Double {
    labels.indices.reduce(0) { sum, row in
      let z = logits[row * classCount..<(row + 1) * classCount]
      return sum + Double(z.max()!) - Double(z[z.startIndex + Int(labels[row])])
    }
  }

  /// The first and second derivative by the scale: the sums of expected minus true logits and of variances.
  func derivatives(at scale: Double) -> (slope: Double, curvature: Double) {
    var sums = SIMD2<Double>.zero
    logits.withUnsafeBufferPointer { logits in
      for (row, label) in labels.enumerated() {
        let z = UnsafeBufferPointer(rebasing: logits[row * classCount..<(row + 1) * classCount])
        sums += lossDerivatives(z, largest: z.indices.max { z[$0] < z[$1] }!, label: Int(label), scale: scale)
      }
    }
    return (sums[0], sums[1])
  }
}

/// The first and second derivative of a sample's loss by the scale of its logits (K): the expected minus the true logit, and
/// the variance.
///
/// - Parameter largest: The class of the largest logit.
package func lossDerivatives(
  _ logits: UnsafeBufferPointer<Float>, largest: Int, label: Int, scale: Double
) -> SIMD2<Double> {
  let largest = Double(logits[largest])
  var (sum, first, second) = (0.0, 0.0, 0.0)
  for logit in logits {
    // Relative to the largest logit, so that neither sums nor exponentials overflow.
    let gap = Double(logit) - largest
    let weight = exp(scale * gap)
    sum += weight
    first += weight * gap
    second += weight * gap * gap
  }
  let mean = first / sum
  return SIMD2(mean + largest - Double(logits[label]), second / sum - mean * mean)
}
