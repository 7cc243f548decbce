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

  /// Margins and losses under attack against those of locally linear networks, a row per prediction and kind; nil if they
  /// were not measured.
  static func linear(_ results: StudyResults) -> Table? {
    linearTable(
      results,
      "Under attack against a locally linear network, means over the networks (95 % t intervals over seeds)",
      [
        ("Margin predicted", { estimate($0[.predictedMargin]) }),
        ("Margin under attack", { estimate($0[.attackedMargin]) }),
        ("Median drop over predicted", { estimate($0[.medianDropRatio]) }),
        (
          "10 % and 90 % of it",
          { [$0[.lowDropRatio], $0[.highDropRatio]].map { number($0?.mean) }.joined(separator: " and ") }
        ),
        ("Drop at most predicted", { estimate($0[.held], isShare: true) }),
        ("Rank correlation", { estimate($0[.rankCorrelation]) }),
        ("Loss at least", { estimate($0[.lossLower]) }),
        ("Loss under attack", { estimate($0[.attackedLoss]) }),
        ("Loss at most", { estimate($0[.lossUpper]) }),
        ("Loss within", { estimate($0[.lossWithin], isShare: true) }),
      ])
  }

  /// Which images were to flip and which did; nil if it was not measured.
  static func flips(_ results: StudyResults) -> Table? {
    let cells: [(String, KeyPath<LinearCheck.Flips, Double>)] = [
      ("Both", \.both), ("Predicted only", \.predictedOnly), ("Seen only", \.attackedOnly),
      ("Neither", \.neither),
    ]
    return linearTable(
      results,
      "Images that change their class under attack, predicted by a local radius below epsilon and seen",
      [
        ("Predicted", { estimate($0[.predictedFlips], isShare: true) }),
        ("Seen", { estimate($0[.attackedFlips], isShare: true) }),
        ("Agreement", { estimate($0[.flipAgreement], isShare: true) }),
      ],
      cells.map { title, cell in
        (
          title,
          { kind, prediction in
            let values = kind.networks.map { $0.predictions[prediction]!.flips[keyPath: cell] }
            return percentText(values.reduce(0, +) / Double(values.count))
          }
        )
      })
  }

  private typealias Estimates = [LinearStudy.Figure: LinearStudy.Estimate]

  private static func linearTable(
    _ results: StudyResults, _ caption: String, _ figures: [(String, (Estimates) -> String)],
    _ more: [(String, (LinearStudy.Kind, LinearCheck.Prediction) -> String)] = []
  ) -> Table? {
    results.linear.map { linear in
      let rows = LinearCheck.Prediction.allCases.flatMap { prediction in
        [("standard", linear.standard), ("AT", linear.robust)].map { name, kind in
          ["\(title(prediction)), \(name)"] + figures.map { $0.1(kind.estimates[prediction]!) }
            + more.map { $0.1(kind, prediction) }
        }
      }
      return Table(
        caption, columns: [.text("Prediction")] + (figures.map(\.0) + more.map(\.0)).map { .number($0) },
        rows: rows)
    }
  }

  private static func title(_ prediction: LinearCheck.Prediction) -> String {
    switch prediction {
    case .runnerUp: "second class alone"
    case .ball: "all classes"
    case .clipped: "all classes, pixels in [0, 1]"
    }
  }

  private static func estimate(_ estimate: LinearStudy.Estimate?, isShare: Bool = false) -> String {
    guard let estimate else { return "–" }
    let text = isShare ? percentText : { number($0) }
    guard let interval = estimate.interval else { return text(estimate.mean) }
    return "\(text(estimate.mean)) (\(text(interval.lower)) to \(text(interval.upper)))"
  }
}
