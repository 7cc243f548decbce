import Foundation

/// The factor s* >= 0 on all logits that makes their mean cross-entropy smallest; see
/// ``ScaleLoss/minimiser``.
///
/// - Parameters:
///   - logits: (N, K) row-major, finite.
///   - classCount: K, at least 2.
///   - labels: (N), in 0 ..< K.
/// - Returns: s*, which may be 0 or infinity.
public func optimalScale(logits: [Float], classCount: Int, labels: [Int32]) -> Double {
  ScaleLoss(logits: logits, classCount: classCount, labels: labels).minimiser
}

/// The factor s* >= 0 with the smallest mean log(1 + exp(-s (m - c))): the best scale of a binary linear
/// model of fixed direction against an adversary who takes c off every margin.
///
/// - Parameters:
///   - margins: m, (N), finite.
///   - reduction: c.
/// - Returns: s*: 0 if the mean of m - c is not positive, infinity if no m - c is negative and not all are 0.
public func optimalScale(margins: [Double], reduction: Double = 0) -> Double {
  ScaleLoss(margins: margins, reduction: reduction).minimiser
}

/// The same factor for infinitely many margins with a normal distribution of mean mu and deviation sigma:
/// 2 (mu - c) / sigma^2, or 0 where the reduction reaches the mean.
///
/// For these margins the likelihood ratio of m - c and -(m - c) is exp(2 (mu - c) (m - c) / sigma^2), so the
/// logistic model with that factor is the true one.
public func optimalScale(meanMargin: Double, deviation: Double, reduction: Double = 0) -> Double {
  precondition(deviation > 0, "The deviation must be positive.")
  return max(0, 2 * (meanMargin - reduction) / (deviation * deviation))
}

/// Whether a larger reduction lowers the best factor: mean sig(-u) (1 - u sig(u)) with u = s* (m - c), sig
/// being the sigmoid. The factor falls with c where this is positive and rises where it is negative.
///
/// - Returns: The criterion, or nil where s* is 0 or infinite.
public func reductionCriterion(margins: [Double], reduction: Double) -> Double? {
  let scale = optimalScale(margins: margins, reduction: reduction)
  guard scale > 0, scale.isFinite else { return nil }
  let terms = margins.map { margin in
    let u = scale * (margin - reduction)
    return sigmoid(-u) * (1 - u * sigmoid(u))
  }
  return terms.reduce(0, +) / Double(margins.count)
}

/// ds*/dc: how fast the best factor changes with the reduction, from the implicit function theorem on L'(s*)
/// = 0.
///
/// - Returns: The derivative, or nil where s* is 0 or infinite.
public func scaleResponse(margins: [Double], reduction: Double) -> Double? {
  guard let criterion = reductionCriterion(margins: margins, reduction: reduction) else { return nil }
  let scale = optimalScale(margins: margins, reduction: reduction)
  return -criterion / ScaleLoss(margins: margins, reduction: reduction).curvature(at: scale)
}

/// The largest u with u sig(u) <= 1, about 1.278: if no scaled margin s* (m - c) lies above it, the best
/// factor cannot rise with the reduction. It solves u = 1 + e^-u.
public let decisiveMargin: Double = {
  // The iteration's slope at the solution is -e^-u = -0.28: each step gains more than half a digit.
  (0..<64).reduce(1.0) { u, _ in 1 + exp(-u) }
}()
