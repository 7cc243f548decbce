import Foundation
import Logits

/// A comparison of logits for people.
public enum ComparisonText {
  /// Sentences and tables for all samples and, where labels allow, for the jointly correct ones.
  public static func blocks(_ comparison: LogitComparison) -> [Page.Block] {
    var blocks: [Page.Block] = []
    if let a = comparison.all.standardAccuracy, let b = comparison.all.robustAccuracy {
      blocks.append(
        .paragraph(
          String(format: "Accuracy: standard %.2f %%, adversarially trained %.2f %%.", a * 100, b * 100)))
    }
    blocks += Self.blocks(comparison.all, "all \(comparison.all.sampleCount) samples")
    if let joint = comparison.jointlyCorrect {
      blocks += Self.blocks(joint, "the \(joint.sampleCount) samples that both predict right")
    }
    return blocks
  }

  /// The same as Markdown.
  public static func markdown(_ comparison: LogitComparison) -> String {
    blocks(comparison).markdown
  }

  private static func blocks(_ group: LogitComparison.Group, _ title: String) -> [Page.Block] {
    let rows = Measure.allCases.compactMap { measure in
      group.measures[measure].map { pair in
        [
          measure.title, value(pair.standard), value(pair.robust), percentText(pair.shareRobustLower),
        ]
      }
    }
    let table = Table(
      "On \(title), mean (median)",
      columns: [
        .text("Measure"), .number("Standard"), .number("Adversarially trained"), .number("Share lower"),
      ], rows: rows)
    guard let correlation = group.confidenceRankCorrelation else { return [.table(table)] }
    let sentence = String(
      format: "Rank correlation of the two networks' confidences: %.2f.", correlation)
    return [.table(table), .paragraph(sentence)]
  }

  private static func value(_ summary: Distribution) -> String {
    String(format: "%.3f (%.3f)", summary.mean, summary.quantiles.p50)
  }
}
