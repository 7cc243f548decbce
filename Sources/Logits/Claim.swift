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
  /// A p-value corrected for all tests of its family, if there is one.
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

  /// Consistent if the difference is below 0 for every seed and its interval is too, on all samples and in every control.
  private static func shrinks(
    _ id: String, _ statement: String, _ measure: Measure, _ study: LogitStudy
  ) -> Claim? {
    guard let effect = study.effects[.all]?[measure] else { return nil }
    let controls = [LogitStudy.Selection.jointlyCorrect, .accuracyMatched].compactMap {
      study.effects[$0]?[measure]
    }
    let seeds = effect.differences.count
    let isBelow = ([effect] + controls).allSatisfy {
      $0.differences.allSatisfy { $0 < 0 } && ($0.bootstrapInterval?.upper ?? 0) < 0
    }
    let isAbove = effect.differences.allSatisfy { $0 > 0 } && (effect.bootstrapInterval?.lower ?? 0) > 0
    var reason =
      "below 0 for every seed, with its interval, on all samples and in \(controls.count) controls: "
      + (isBelow ? "yes" : "no")
    if seeds < 3 { reason += "; \(seeds) of at least 3 seeds" }
    return Claim(
      id: id, statement: statement, measure: "mean difference of the \(measure.title)",
      value: effect.difference, interval: effect.bootstrapInterval, pValue: effect.holmP,
      verdict: seeds < 3 ? .undecided : isBelow ? .consistent : isAbove ? .inconsistent : .undecided,
      reason: reason)
  }

  /// Whether the gap's difference is one of scale only: no claim of the paper, so that it is never inconsistent.
  private static func scale(_ study: LogitStudy) -> Claim? {
    guard let effect = study.effects[.temperatureMatched]?[.logitGap],
      let all = study.effects[.all]?[.logitGap]
    else { return nil }
    let rest = all.difference == 0 ? 0 : effect.difference / all.difference
    return Claim(
      id: "C1f", statement: "The smaller gap is a matter of scale",
      measure: "mean difference of the logit gap after fitting temperatures", value: effect.difference,
      interval: effect.bootstrapInterval, pValue: effect.holmP, verdict: .undecided,
      reason: String(
        format:
          "a report, not a test: %.0f %% of the difference is left when both are calibrated by a temperature",
        100 * rest))
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
      "Jaccard index of the top tenths between the kinds, minus its ceiling", agreement.top)
  }

  private static func below(
    _ id: String, _ statement: String, _ measure: String, _ comparison: Agreement.Comparison
  ) -> Claim {
    var verdict = Verdict.undecided
    if let interval = comparison.excessInterval {
      verdict = interval.upper < 0 ? .consistent : interval.lower > 0 ? .inconsistent : .undecided
    }
    var reason = "interval below 0: \(verdict == .consistent ? "yes" : "no")"
    if comparison.excessInterval == nil { reason = "needs at least 3 seeds of each kind" }
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
      value: test.statistic,
      interval: nil, pValue: test.pValue,
      verdict: seeds >= 3 && test.pValue < 0.05 ? .consistent : .undecided,
      reason: "p below .05: \(test.pValue < 0.05 ? "yes" : "no")"
        + (seeds < 3 ? "; \(seeds) of at least 3 seeds" : ""))
  }
}
