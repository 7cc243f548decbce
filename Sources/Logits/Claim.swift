import Foundation
import Statistics

/// A statement about adversarial training (AT), and what the figures of a study say about it.
///
/// The statements are the ones of the abstract of Seguin et al., arXiv 2108.12001, in our words; the rules are the project's.
public struct Claim: Sendable, Equatable, Codable {
  /// What the figures say.
  public enum Verdict: String, Sendable, Codable {
    /// The figures support it by the rule.
    case consistent
    /// They contradict it.
    case inconsistent
    /// They do neither.
    case undecided
    /// A figure without a rule.
    case descriptive
  }

  /// A short name such as `C1b`.
  public let id: String
  /// What is claimed.
  public let statement: String
  /// What is measured.
  public let measure: String
  /// The figure; differences are robust minus standard.
  public let value: Double?
  /// Its 95 % interval.
  public let interval: Interval?
  /// A p-value, if there is one; that of a measure is corrected for all measures of its table.
  public let pValue: Double?
  /// What the figures say.
  public let verdict: Verdict
  /// By which rule, and what is missing for a decision.
  public let reason: String

  enum CodingKeys: String, CodingKey {
    case id, statement, measure, value, interval, verdict, reason
    case pValue = "p_value"
  }

  /// The claims that a study can speak about.
  static func all(of study: LogitStudy) -> [Claim] {
    [
      shrinks("C1a", "AT shrinks the max logit", .centredMax, study),
      shrinks("C1b", "AT shrinks the logit gap", .logitGap, study),
      scale(study),
      otherSamples(study),
      otherExtremes(study),
      otherClasses(study),
    ].compactMap { $0 }
  }

  /// Consistent if the difference is below 0 for every seed and its interval is too, on all samples, on jointly correct ones
  /// and against networks of equal accuracy if there are any.
  private static func shrinks(
    _ id: String, _ statement: String, _ measure: Measure, _ study: LogitStudy
  ) -> Claim? {
    guard let effect = study.effects[.all]?[measure] else { return nil }
    let controls = [
      ("all samples", LogitStudy.Selection.all), ("jointly correct ones", .jointlyCorrect),
      ("equal accuracy", .accuracyMatched),
    ].compactMap { name, selection in study.effects[selection]?[measure].map { (name, $0) } }
    var (verdict, reason) = direction(controls.map(\.1), isClaimed: { $0 < 0 }, "below 0")
    reason += " (\(controls.map(\.0).joined(separator: ", ")))"
    if study.effects[.jointlyCorrect] == nil {
      (verdict, reason) = (
        .undecided, reason + "; no samples that both networks of each pair classify correctly"
      )
    }
    return Claim(
      id: id, statement: statement, measure: "mean difference of the \(measure.title)",
      value: effect.difference, interval: effect.tInterval, pValue: effect.holmP, verdict: verdict,
      reason: reason)
  }

  /// Whether all effects have the claimed sign for every seed, and t intervals that do not hold 0.
  static func direction(
    _ effects: [Effect], isClaimed: (Double) -> Bool, _ words: String
  ) -> (Verdict, String) {
    let seeds = effects[0].differences.count
    func all(_ holds: (Double) -> Bool) -> Bool {
      effects.allSatisfy { effect in
        effect.differences.allSatisfy(holds)
          && (effect.tInterval.map { holds($0.lower) && holds($0.upper) }
            ?? (Set(effect.differences).count == 1))
      }
    }
    let holds = all(isClaimed)
    let isOpposite = all { $0 != 0 && !isClaimed($0) }
    let reason = "\(words) for every seed, with its t interval: \(holds ? "yes" : "no")"
    if seeds < 3 { return (.undecided, reason + "; \(seeds) of at least 3 seeds") }
    return (holds ? .consistent : isOpposite ? .inconsistent : .undecided, reason)
  }

  /// Whether the gap's difference is one of scale only: no claim of the paper.
  private static func scale(_ study: LogitStudy) -> Claim? {
    guard let effect = study.effects[.temperatureMatched]?[.logitGap],
      let all = study.effects[.all]?[.logitGap], all.difference != 0
    else { return nil }
    return Claim(
      id: "C1f", statement: "How much of the gap's difference is one of shape, not of scale",
      measure: "mean difference of the logit gap after fitting temperatures", value: effect.difference,
      interval: effect.tInterval, pValue: effect.holmP, verdict: .descriptive,
      reason: String(
        format: "%.0f %% of the difference is left when both are calibrated by a temperature",
        100 * effect.difference / all.difference))
  }

  private static func otherSamples(_ study: LogitStudy) -> Claim? {
    guard let agreement = study.agreement[.confidence]?.rankCorrelation else { return nil }
    return below(
      "C2a", "AT and standard networks differ in which samples they are confident of",
      "rank correlation of confidences between the kinds, minus the ceiling that seeds set", agreement)
  }

  private static func otherExtremes(_ study: LogitStudy) -> Claim? {
    guard let agreement = study.agreement[.confidence] else { return nil }
    return below(
      "C2b", "The most confident samples differ",
      "Jaccard index of the top tenths between the kinds, minus the lower one within a kind", agreement.top)
  }

  private static func below(
    _ id: String, _ statement: String, _ measure: String, _ comparison: Agreement.Comparison
  ) -> Claim {
    var verdict = Verdict.undecided
    if let interval = comparison.excessInterval {
      verdict = interval.upper < 0 ? .consistent : interval.lower > 0 ? .inconsistent : .undecided
    }
    var reason = "jackknife interval below 0: \(verdict == .consistent ? "yes" : "no")"
    if comparison.excessInterval == nil { reason = "needs at least 3 seeds, and agreement within both kinds" }
    return Claim(
      id: id, statement: statement, measure: measure, value: comparison.excess,
      interval: comparison.excessInterval, pValue: nil, verdict: verdict, reason: reason)
  }

  private static func otherClasses(_ study: LogitStudy) -> Claim? {
    guard let test = study.shift.composition?.test else { return nil }
    let seeds = study.pairs.count
    return Claim(
      id: "C2c", statement: "The samples whose confidence differs most are of other classes",
      measure: "classes of the two tenths with the largest rank differences, chi-squared",
      value: test.statistic, interval: nil, pValue: test.pValue,
      verdict: test.pValue < 0.05 ? .consistent : .undecided,
      reason: "p of swapping the kinds within pairs below .05 (6 pairs or more can reach it): "
        + (test.pValue < 0.05 ? "yes" : "no; \(seeds) pairs"))
  }
}
