import Foundation
import Logits
import Statistics

/// What was measured of logits as tables and sentences.
public enum StudyText {
  /// Everything that a report's page shows but plots, galleries and matrices, in short form.
  /// - Parameter classNames: what the classes are called, one name per class.
  public static func blocks(_ results: StudyResults, classNames: [String]) -> [Page.Block] {
    let study = results.clean
    var blocks = [Page.Block.paragraph(introduction(study))]
    if let thinned = study.thinned { blocks.append(.paragraph(sentence(thinned, of: study.sampleCount))) }
    blocks.append(.table(claims(results.claims)))
    blocks += comparison(study)
    if let attacked = results.attacked, let effects = attacked.effects[.all] {
      blocks.append(
        .paragraph("Under attack, each network on its own, on \(attacked.sampleCount) images:"))
      blocks.append(.table(self.effects(effects, .all)))
    }
    blocks.append(.table(agreement(study)))
    if let table = composition(study, classNames) {
      blocks += [.paragraph(compositionSentence(study)), .table(table)]
    }
    let tables = [
      features(study), shiftedSamples(study, classNames), classes(study, classNames),
      confusions(study, classNames, most: 10), orderings(study), calibration(results), theory(results),
      linear(results), flips(results), dose(results),
      accuracies(results),
    ]
    return blocks + tables.compactMap { $0.map { .table($0.withoutEmptyColumns) } }
  }

  /// The same as Markdown.
  public static func markdown(_ results: StudyResults, classNames: [String]) -> String {
    blocks(results, classNames: classNames).markdown
  }

  /// Quantiles, and the effects on every selection of samples.
  public static func comparison(_ study: LogitStudy) -> [Page.Block] {
    let effects = LogitStudy.Selection.allCases.compactMap { selection in
      study.effects[selection].map { Page.Block.table(self.effects($0, selection)) }
    }
    return effects + [.table(quantiles(study))]
  }

  private static func introduction(_ study: LogitStudy) -> String {
    let seeds = study.pairs.count
    let text =
      "\(study.sampleCount) samples, \(study.classCount) classes, \(seeds) \(seeds == 1 ? "pair" : "pairs") of networks."
    return seeds < 3 ? text + " " + fewSeeds : text
  }

  /// Which figures are of all samples and which are not.
  static func sentence(_ thinned: LogitStudy.Thinning, of count: Int) -> String {
    "Claim C2c, the lists of samples and the orders of classes (in JSON: \(thinned.figures.joined(separator: ", "))) use every"
      + " \(thinned.step)th sample, \(thinned.sampleCount) of \(count). All other figures are of all samples."
  }

  static let fewSeeds =
    "With fewer than 3 pairs the figures speak about these networks, not about training: no claim is decided."

  /// What a selection of samples is called.
  static func title(_ selection: LogitStudy.Selection) -> String {
    switch selection {
    case .all: "all samples"
    case .jointlyCorrect: "the samples that both networks of a pair classify correctly"
    case .accuracyMatched: "all samples, against standard networks of equal accuracy"
    case .temperatureMatched: "all samples, after dividing by each network's fitted temperature"
    }
  }

  /// One row per claim.
  static func claims(_ claims: [Claim]) -> Table {
    Table(
      "Claims and what the figures say",
      columns: [
        .text("Claim"), .text("Verdict"), .text("Measured"), .number("Value"), .number("95 % interval"),
        .number("p"), .text("By which rule"),
      ],
      rows: claims.map { claim in
        [
          "\(claim.id): \(claim.statement)", claim.verdict.rawValue, claim.measure, number(claim.value),
          interval(claim.interval), probability(claim.pValue), claim.reason,
        ]
      })
  }

  /// One row per measure.
  static func effects(_ effects: [Measure: Effect], _ selection: LogitStudy.Selection) -> Table {
    Table(
      "Adversarially trained minus standard, on \(title(selection))",
      columns: [
        .text("Measure"), .number("Standard"), .number("AT"), .number("Difference"), .number("95 % t"),
        .number("95 % bootstrap"),
        .number("p (t, Holm)"), .number("p (sign flips)"), .number("Share lower"), .number("Cohen's d"),
        .number("Cliff's delta"), .number("KS distance"), .number("Wasserstein"),
      ],
      rows: Measure.allCases.compactMap { measure in
        effects[measure].map { effect in
          [
            measure.title, number(effect.standardMean), number(effect.robustMean), number(effect.difference),
            interval(effect.tInterval), interval(effect.bootstrapInterval), probability(effect.holmP),
            probability(effect.differences.count > 1 ? effect.signFlipP : nil),
            percentText(effect.shareRobustLower), number(effect.cohenDz), number(effect.cliffsDelta),
            number(effect.kolmogorovSmirnov), number(effect.wasserstein),
          ]
        }
      }
    ).withoutEmptyColumns
  }

  /// One row per measure and index.
  static func agreement(_ study: LogitStudy) -> Table {
    var rows: [[String]] = []
    for measure in [Measure.confidence, .logitGap] {
      guard let agreement = study.agreement[measure] else { continue }
      let chance = "\(number(agreement.chance)) (\(interval(agreement.chanceInterval)))"
      for (name, index, chance) in [
        ("rank correlation", agreement.rankCorrelation, "0"),
        ("Jaccard index of the top tenths", agreement.top, chance),
        ("Jaccard index of the bottom tenths", agreement.bottom, chance),
      ] {
        rows.append([
          "\(measure.title), \(name)", number(index.between), number(index.withinStandard),
          number(index.withinRobust), number(index.ceiling), number(index.excess),
          interval(index.excessInterval), chance, probability(index.chanceP),
        ])
      }
    }
    return Table(
      "Agreement on which samples are high and low",
      columns: [
        .text("Of"), .number("Standard and AT"), .number("Within standard"), .number("Within AT"),
        .number("Ceiling"), .number("Minus ceiling"), .number("95 % interval"), .number("By chance (95 %)"),
        .number("p of chance"),
      ], rows: rows
    ).withoutEmptyColumns
  }

  /// Three or so significant digits; a dash for nothing.
  static func number(_ value: Double?) -> String {
    guard let value else { return "–" }
    let size = abs(value)
    if size == 0 { return "0" }
    return String(format: size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 0.01 ? "%.3f" : "%.2e", value)
  }

  /// Such as `-2.10 to -1.90`.
  static func interval(_ interval: Interval?) -> String {
    interval.map { "\(number($0.lower)) to \(number($0.upper))" } ?? "–"
  }

  /// A p-value, small ones in exponent form.
  static func probability(_ p: Double?) -> String {
    guard let p else { return "–" }
    return p < 1e-300 ? "< 1e-300" : String(format: p < 0.001 ? "%.1e" : "%.3f", p)
  }
}
