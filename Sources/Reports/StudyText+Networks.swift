import Logits

/// Tables with a row per network that a study's page and its text share.
extension StudyText {
  /// Losses, entropies and scales; nil if the theory was not checked.
  static func theory(_ results: StudyResults) -> Table? {
    let checks = results.standardTheory.map { ($0, "standard") } + results.robustTheory.map { ($0, "AT") }
    guard !checks.isEmpty else { return nil }
    return Table(
      "Attacked training images (clean columns: test images), and the scale of the logits with the smallest adversarial loss",
      columns: [
        .text("Network"), .text("Kind"), .number("Loss"), .number("Entropy"), .number("Loss - entropy"),
        .number("Predicted by decay"), .number("Clean loss - entropy"), .number("s*"), .number("Loss at s*"),
        .number("Gap over its cap"),
      ],
      rows: checks.map { check, kind in
        [
          check.name, kind, number(check.adversarialLoss), number(check.adversarialEntropy),
          number(check.excess), kind == "AT" ? number(check.decayTerm) : "–", number(check.cleanExcess),
          number(check.scale.best), number(check.scale.lowestLoss), number(check.gapOverCap),
        ]
      })
  }

  /// Networks by radius; nil without other radii.
  static func dose(_ results: StudyResults) -> Table? {
    results.dose.map { dose in
      Table(
        "Networks by radius",
        columns: [.text("Network"), .number("Radius"), .number("Logit gap"), .number("Max minus mean")],
        rows: dose.doses.map { [$0.name, number($0.epsilon), number($0.logitGap), number($0.centredMax)] })
    }
  }

  /// Accuracies; a dash where labels are missing.
  static func accuracies(_ results: StudyResults) -> Table {
    func accuracy(_ study: LogitStudy?, _ pair: Int, _ isStandard: Bool) -> String {
      guard let all = study?.pairs[pair].all else { return "–" }
      return (isStandard ? all.standardAccuracy : all.robustAccuracy).map(percentText) ?? "–"
    }
    return Table(
      "Accuracy",
      columns: [.text("Network"), .text("Kind"), .number("Clean"), .number("Under attack")],
      rows: [(results.standardNames, true), (results.robustNames, false)].flatMap { names, isStandard in
        names.enumerated().map { pair, name in
          [
            name, isStandard ? "standard" : "AT", accuracy(results.clean, pair, isStandard),
            accuracy(results.attacked, pair, isStandard),
          ]
        }
      })
  }
}
