/// A number that describes the logits z of one sample. p = softmax(z); z(1) >= z(2) >= ... are the logits in order.
public enum Measure: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
  /// z(1). Depends on the gauge: adding a constant to z changes it and not p.
  case maxLogit = "max_logit"
  /// z(1) - mean z.
  case centredMax = "centred_max"
  /// z(1) - z(2).
  case logitGap = "logit_gap"
  /// z(1) - z(3); with two classes there is none.
  case thirdGap = "logit_gap_3"
  /// max p.
  case confidence
  /// - sum p log p, in nats.
  case entropy
  /// z of the true class minus the largest other logit; negative if the sample is misclassified.
  case margin
  /// - log p of the true class, in nats.
  case crossEntropy = "cross_entropy"
  /// Cross-entropy minus entropy. Its mean is 0 where the loss cannot fall by scaling the logits.
  case excess = "cross_entropy_minus_entropy"
  /// The L1 norm of the gap's gradient by the image, if the table has it: what an Linf attack of radius 1 takes from
  /// the gap, to first order.
  case gapGradient = "gap_gradient_norm"
  /// The gap over that norm, in pixel units, at most 1: the radius at which the prediction changes, to first order.
  case localRadius = "local_radius"

  /// What people call it, with its unit.
  public var title: String {
    switch self {
    case .maxLogit: "max logit"
    case .centredMax: "max logit minus mean"
    case .logitGap: "logit gap"
    case .thirdGap: "gap to the third logit"
    case .confidence: "confidence"
    case .entropy: "entropy (nats)"
    case .margin: "margin to the true class"
    case .crossEntropy: "cross-entropy (nats)"
    case .excess: "cross-entropy minus entropy (nats)"
    case .gapGradient: "L1 norm of the gap's gradient"
    case .localRadius: "gap over that norm"
    }
  }
}
