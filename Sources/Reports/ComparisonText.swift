import Foundation
import Logits

/// A comparison of logits as a Markdown table.
public enum ComparisonText {
  /// The table for all samples and, where labels allow, for the jointly correct ones.
  public static func markdown(_ comparison: LogitComparison) -> String {
    var text = ""
    if let a = comparison.standardAccuracy, let b = comparison.robustAccuracy {
      text += String(format: "Accuracy: standard %.2f %%, adversarially trained %.2f %%.\n\n", a * 100, b * 100)
    }
    text += table(comparison.all, "all \(comparison.all.count) samples")
    if let joint = comparison.jointlyCorrect {
      text += "\n" + table(joint, "the \(joint.count) samples that both predict right")
    }
    return text
  }

  private static func table(_ group: LogitComparison.Group, _ title: String) -> String {
    var lines = [
      "On \(title), mean (median):", "",
      "| Measure | Standard | Adversarially trained | Share lower | Rank correlation |", "|---|---|---|---|---|",
    ]
    for row in group.measures {
      let cells = [
        label(row.measure), value(row.standard), value(row.robust), String(format: "%.1f %%", row.shareLower * 100),
        row.rankCorrelation.map { String(format: "%.2f", $0) } ?? "-",
      ]
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func value(_ summary: Summary) -> String {
    String(format: "%.3f (%.3f)", summary.mean, summary.quantiles["50"] ?? .nan)
  }

  private static func label(_ measure: Measures.Name) -> String {
    switch measure {
    case .maxLogit: "max logit"
    case .centeredMax: "max logit minus mean"
    case .gap: "logit gap"
    case .confidence: "confidence"
    case .entropy: "entropy (nats)"
    case .margin: "margin to the true class"
    }
  }
}
