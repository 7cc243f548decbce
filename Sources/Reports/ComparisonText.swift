import Foundation
import Logits

/// A comparison of logits as a Markdown table.
public enum ComparisonText {
  /// The table for all samples and, where labels allow, for the jointly correct ones.
  public static func markdown(_ comparison: LogitComparison) -> String {
    var text = ""
    if let a = comparison.all.standardAccuracy, let b = comparison.all.robustAccuracy {
      text += String(
        format: "Accuracy: standard %.2f %%, adversarially trained %.2f %%.\n\n", a * 100, b * 100)
    }
    text += table(comparison.all, "all \(comparison.all.sampleCount) samples")
    if let joint = comparison.jointlyCorrect {
      text += "\n" + table(joint, "the \(joint.sampleCount) samples that both predict right")
    }
    return text
  }

  private static func table(_ group: LogitComparison.Group, _ title: String) -> String {
    var lines = [
      "On \(title), mean (median):", "",
      "| Measure | Standard | Adversarially trained | Share lower |", "|---|---|---|---|",
    ]
    for measure in Measure.allCases {
      guard let pair = group.measures[measure] else { continue }
      let cells = [
        measure.title, value(pair.standard), value(pair.robust),
        String(format: "%.1f %%", pair.shareRobustLower * 100),
      ]
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    var text = lines.joined(separator: "\n") + "\n"
    if let correlation = group.confidenceRankCorrelation {
      text += String(format: "\nRank correlation of the two networks' confidences: %.2f.\n", correlation)
    }
    return text
  }

  private static func value(_ summary: Distribution) -> String {
    String(format: "%.3f (%.3f)", summary.mean, summary.quantiles.p50)
  }
}
