import Foundation
import Statistics

/// What theory says about the logits of one network, measured on attacked training images and on clean test images. Written as JSON with snake_case keys.
public struct TheoryCheck: Sendable, Equatable, Codable {
  /// The network's run.
  public let name: String
  /// The mean cross-entropy on attacked training images, in nats.
  public let adversarialLoss: Double
  /// The mean entropy on them, in nats.
  public let adversarialEntropy: Double
  /// The mean cross-entropy minus entropy on clean images.
  public let cleanExcess: Double
  /// - lambda |W|^2 of the last layer: what ``excess`` is where the training loss is stationary in the scale of the logits,
  /// for a network that was trained on such images. nil if the weight decay is not known.
  public let decayTerm: Double?
  /// The mean over clean images of the logit gap over the largest gap that the sample's entropy allows; at most 1;
  /// nil if no sample has a finite one.
  public let gapOverCap: Double?
  /// The adversarial loss over the scale of the logits.
  public let scale: ScaleCurve

  /// The mean cross-entropy minus entropy on attacked training images.
  public var excess: Double { adversarialLoss - adversarialEntropy }

  enum CodingKeys: String, CodingKey {
    case name, scale
    case adversarialLoss = "adversarial_loss"
    case adversarialEntropy = "adversarial_entropy"
    case cleanExcess = "clean_excess"
    case decayTerm = "decay_term"
    case gapOverCap = "gap_over_cap"
  }

  /// - Parameters:
  ///   - attacked: logits of attacked training images, with labels.
  ///   - clean: logits of clean images, with labels.
  ///   - gapCap: the largest gap that an entropy allows.
  public init(
    name: String, attacked: LogitTable, clean: LogitTable, decayTerm: Double?, scale: ScaleCurve,
    gapCap: (_ entropy: Double) -> Double
  ) {
    let measures = attacked.measures()
    let cleanMeasures = clean.measures()
    guard let losses = measures.values(.crossEntropy), let excess = cleanMeasures.values(.excess) else {
      preconditionFailure("theory needs labels")
    }
    self.name = name
    adversarialLoss = mean(losses)
    adversarialEntropy = mean(measures.entropy)
    cleanExcess = mean(excess)
    self.decayTerm = decayTerm
    self.scale = scale
    // Gaps of samples without a cap (entropy 0) and without a gap say nothing.
    let shares = zip(cleanMeasures.logitGap, cleanMeasures.entropy).compactMap { gap, entropy -> Double? in
      let cap = gapCap(entropy)
      return cap > 0 && cap.isFinite ? gap / cap : nil
    }
    gapOverCap = shares.isEmpty ? nil : mean(shares)
  }
}

extension Claim {
  /// What the theory's checks say, for standard and robust networks in the order of their seeds.
  public static func theory(standard: [TheoryCheck], robust: [TheoryCheck], study: LogitStudy) -> [Claim] {
    [
      stationary(robust), scaling(standard, robust), gradients(study),
    ].compactMap { $0 }
  }

  /// How far, in nats, the mean loss may be from its prediction.
  static let stationaryMargin = 0.05

  private static func stationary(_ robust: [TheoryCheck]) -> Claim? {
    let gaps = robust.compactMap { check in check.decayTerm.map { check.excess - $0 } }
    guard gaps.count == robust.count, let interval = tInterval(gaps) else { return nil }
    let margin = stationaryMargin
    let holds = interval.lower > -margin && interval.upper < margin
    let fails = interval.lower > margin || interval.upper < -margin
    return Claim(
      id: "C1d", statement: "On attacked training images the mean cross-entropy of AT is its mean entropy",
      measure: "cross-entropy minus entropy, minus what weight decay predicts (nats)", value: mean(gaps),
      interval: interval, pValue: nil,
      verdict: gaps.count < 3 ? .undecided : holds ? .consistent : fails ? .inconsistent : .undecided,
      reason:
        "interval within \(margin) nats of 0: \(holds ? "yes" : "no"); exact at a stationary point only, for the attack"
        + " that trained")
  }

  private static func scaling(_ standard: [TheoryCheck], _ robust: [TheoryCheck]) -> Claim? {
    let checks = standard.map(\.scale)
    guard !checks.isEmpty else { return nil }
    let above = checks.filter { $0.lossAtOne > $0.lossAtZero }
    return Claim(
      id: "C1e", statement: "Smaller logits would lower the standard networks' adversarial loss",
      measure: String(
        format:
          "mean best scale s* of the logits of standard networks (of AT: %.2f); 0: chance is better than any scale",
        mean(robust.map(\.scale.best))),
      value: mean(checks.map(\.best)), interval: nil, pValue: nil, verdict: .descriptive,
      reason:
        "follows from convexity where the loss is above log K: \(above.count) of \(checks.count) networks")
  }

  private static func gradients(_ study: LogitStudy) -> Claim? {
    guard let norm = study.effects[.all]?[.gapGradient], let radius = study.effects[.all]?[.localRadius],
      let gap = study.effects[.all]?[.logitGap]
    else { return nil }
    let (verdict, reason) = direction([radius], isClaimed: { $0 > 0 }, "above 0")
    return Claim(
      id: "C1g", statement: "AT shrinks the gap's gradient more than the gap",
      measure: String(
        format: "mean difference of gap over gradient norm (norm times %.3f, gap times %.3f)",
        norm.robustMean / norm.standardMean, gap.robustMean / gap.standardMean),
      value: radius.difference, interval: radius.tInterval, pValue: radius.holmP, verdict: verdict,
      reason: reason)
  }
}
