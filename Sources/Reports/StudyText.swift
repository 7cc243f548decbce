import Foundation
import Logits
import Statistics

/// A study of logits as Markdown.
public enum StudyText {
  /// Claims, effects and agreement as tables.
  public static func markdown(_ study: LogitStudy) -> String {
    let seeds = study.pairs.count
    var parts = [
      "\(study.sampleCount) samples, \(study.classCount) classes, \(seeds) \(seeds == 1 ? "pair" : "pairs") of networks."
    ]
    if seeds < 3 {
      parts.append("With fewer than 3 seeds the figures speak about these networks, not about training.")
    }
    parts.append(table(claims(study)))
    for selection in LogitStudy.Selection.allCases {
      guard let effects = study.effects[selection] else { continue }
      parts.append("Differences on \(title(selection)):")
      parts.append(table(self.effects(effects)))
    }
    parts.append("Agreement on which samples are confident:")
    parts.append(table(agreement(study)))
    return parts.joined(separator: "\n\n") + "\n"
  }

  /// What a selection of samples is called.
  public static func title(_ selection: LogitStudy.Selection) -> String {
    switch selection {
    case .all: "all samples"
    case .jointlyCorrect: "the samples that both networks classify correctly"
    case .accuracyMatched: "all samples, against standard networks of equal accuracy"
    case .temperatureMatched: "all samples, after fitting each network's temperature"
    }
  }

  /// Rows of the claims, the header first.
  public static func claims(_ study: LogitStudy) -> [[String]] {
    [["Claim", "Statement", "Measured", "Value", "95 % interval", "p", "Verdict", "Why"]]
      + study.claims.map { claim in
        [
          claim.id, claim.statement, claim.measure, claim.value.map(number) ?? "-",
          claim.interval.map(interval) ?? "-", claim.pValue.map(probability) ?? "-", claim.verdict.rawValue,
          claim.reason,
        ]
      }
  }

  /// Rows of the effects by measure, the header first.
  public static func effects(_ effects: [Measure: Effect]) -> [[String]] {
    [
      [
        "Measure", "Standard", "AT", "Difference", "95 % interval", "p (t, Holm)", "p (sign flips)",
        "Share lower", "Cliff's delta",
      ]
    ]
      + Measure.allCases.compactMap { measure in
        effects[measure].map { effect in
          [
            measure.title, number(effect.standardMean), number(effect.robustMean), number(effect.difference),
            effect.bootstrapInterval.map(interval) ?? "-", effect.holmP.map(probability) ?? "-",
            effect.differences.count > 1 ? probability(effect.signFlipP) : "-",
            String(format: "%.1f %%", 100 * effect.shareRobustLower), number(effect.cliffsDelta),
          ]
        }
      }
  }

  /// Rows of the agreement, the header first.
  public static func agreement(_ study: LogitStudy) -> [[String]] {
    var rows = [
      [
        "Of", "Index", "Standard and AT", "Within standard", "Within AT", "Minus ceiling", "95 % interval",
        "Chance",
      ]
    ]
    for measure in [Measure.confidence, .logitGap] {
      guard let agreement = study.agreement[measure] else { continue }
      let chance = number(agreement.chance)
      for (name, index, chance) in [
        ("rank correlation", agreement.rankCorrelation, "0"),
        ("Jaccard, top tenth", agreement.top, chance), ("Jaccard, bottom tenth", agreement.bottom, chance),
      ] {
        rows.append([
          measure.title, name, number(index.between), index.withinStandard.map(number) ?? "-",
          index.withinRobust.map(number) ?? "-", index.excess.map(number) ?? "-",
          index.excessInterval.map(interval) ?? "-", chance,
        ])
      }
    }
    return rows
  }

  /// Three or so significant digits.
  public static func number(_ value: Double) -> String {
    let size = abs(value)
    if value == 0 { return "0" }
    return String(format: size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 0.01 ? "%.3f" : "%.2e", value)
  }

  /// Such as `-2.10 to -1.90`.
  public static func interval(_ interval: Interval) -> String {
    "\(number(interval.lower)) to \(number(interval.upper))"
  }

  /// A p-value, small ones in exponent form.
  public static func probability(_ p: Double) -> String {
    p < 1e-300 ? "< 1e-300" : String(format: p < 0.001 ? "%.1e" : "%.3f", p)
  }

  private static func table(_ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    let rule = "|" + String(repeating: "---|", count: rows[0].count)
    return ([line(rows[0]), rule] + rows.dropFirst().map(line)).joined(separator: "\n")
  }
}
