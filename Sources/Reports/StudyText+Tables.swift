import Logits
import Statistics

/// Tables of a study that its page and its text share.
extension StudyText {
  /// How the values of the measures in question are spread over the samples, in means over networks; a mean alone hides
  /// distributions of two peaks.
  static func quantiles(_ study: LogitStudy) -> Table {
    let quantiles: [(String, KeyPath<Distribution.Quantiles, Double>)] = [
      ("5 %", \.p5), ("10 %", \.p10), ("25 %", \.p25), ("50 %", \.p50), ("75 %", \.p75), ("90 %", \.p90),
      ("95 %", \.p95),
    ]
    let kinds: [(String, KeyPath<LogitComparison.Pair, Distribution>)] = [
      ("standard", \.standard), ("AT", \.robust),
    ]
    let rows = [Measure.logitGap, .centredMax, .confidence].flatMap { measure in
      kinds.map { name, kind in
        let spreads = study.pairs.compactMap { $0.all.measures[measure]?[keyPath: kind].quantiles }
        return ["\(measure.title), \(name)"]
          + quantiles.map { _, path in
            number(
              spreads.isEmpty ? nil : spreads.reduce(0) { $0 + $1[keyPath: path] } / Double(spreads.count))
          }
      }
    }
    return Table(
      "Quantiles over the samples", columns: [.text("Of")] + quantiles.map { .number($0.0) }, rows: rows)
  }

  /// Differences by true class; nil without labels or above 100 classes.
  static func classes(_ study: LogitStudy, _ names: [String]) -> Table? {
    guard !study.classes.isEmpty, study.classCount <= 100 else { return nil }
    return Table(
      "Adversarially trained minus standard, by true class",
      columns: [
        .text("Class"), .number("Samples"), .number("Logit gap"), .number("Confidence"), .number("Accuracy"),
      ],
      rows: study.classes.map {
        [
          names[$0.label], "\($0.sampleCount)", number($0.logitGap), number($0.confidence),
          number($0.accuracy),
        ]
      })
  }

  /// The classes of the tenths whose rank of confidence differs most; nil without labels or above 100 classes.
  static func composition(_ study: LogitStudy, _ names: [String]) -> Table? {
    guard let composition = study.shift.composition, study.classCount <= 100 else { return nil }
    return Table(
      "Samples by true class",
      columns: [
        .text("Class"), .number("AT more confident"), .number("Standard more confident"), .number("All"),
      ],
      rows: names.indices.map {
        [
          names[$0], "\(composition.robustHigher[$0])", "\(composition.standardHigher[$0])",
          "\(composition.all[$0])",
        ]
      })
  }

  /// What the composition is, and its test.
  static func compositionSentence(_ study: LogitStudy) -> String {
    let sentence =
      "Ranks of confidence, in means over seeds. The tenths with the largest differences both ways."
    guard let test = study.shift.composition?.test else { return sentence }
    return sentence
      + " Chi-squared \(number(test.statistic)), p \(probability(test.pValue)) that both have the"
      + " same classes."
  }

  /// How images of the two tenths differ; nil without features.
  static func features(_ study: LogitStudy) -> Table? {
    guard !study.shift.features.isEmpty else { return nil }
    return Table(
      "Mean features of the images of the two tenths",
      columns: [
        .text("Feature"), .number("AT more confident"), .number("Standard more confident"),
        .number("All"), .number("KS distance"), .number("p (Holm)"),
      ],
      rows: study.shift.features.sorted { $0.key < $1.key }.map { name, contrast in
        [
          name, number(contrast.robustHigher), number(contrast.standardHigher), number(contrast.all),
          number(contrast.test.statistic), probability(contrast.test.pValue),
        ]
      })
  }

  /// The few samples that differ most, both ways: for texts, in place of galleries.
  static func shiftedSamples(_ study: LogitStudy, _ names: [String], most: Int = 5) -> Table {
    func top(_ classes: [ConfidenceShift.ClassProbability]) -> String {
      classes.first.map { "\(names[$0.index]) \(percentText($0.probability))" } ?? "–"
    }
    let kinds = [("AT", study.shift.robustHigher), ("standard", study.shift.standardHigher)]
    return Table(
      "Samples with the largest differences of the rank of confidence",
      columns: [
        .text("More confident"), .number("Sample"), .text("True class"), .number("Rank, standard"),
        .number("Rank, AT"), .text("Standard predicts"), .text("AT predicts"),
      ],
      rows: kinds.flatMap { kind, samples in
        samples.prefix(most).map {
          [
            kind, "\($0.sampleID)", $0.label.map { names[Int($0)] } ?? "–", percentText($0.standardRank),
            percentText($0.robustRank), top($0.standardTop), top($0.robustTop),
          ]
        }
      })
  }

  /// Edges of smaller shares are neither drawn nor in the table.
  static let confusionThreshold = 0.1

  /// The largest shares of either kind; nil without labels.
  static func confusions(_ study: LogitStudy, _ names: [String], most: Int) -> Table? {
    guard let confusions = study.confusions else { return nil }
    func byCell(_ edges: [Confusions.Edge]) -> [[Int]: Confusions.Edge] {
      Dictionary(uniqueKeysWithValues: edges.map { ([$0.label, $0.other], $0) })
    }
    let (a, b) = (byCell(confusions.standard), byCell(confusions.robust))
    let shares = Set(a.keys).union(b.keys).map { cell in
      (cell: cell, largest: max(a[cell]?.nearestShare ?? 0, b[cell]?.nearestShare ?? 0))
    }
    let sorted = shares.filter { $0.largest >= confusionThreshold }.sorted {
      $0.largest != $1.largest
        ? $0.largest > $1.largest : ($0.cell[0], $0.cell[1]) < ($1.cell[0], $1.cell[1])
    }
    func share(_ value: Double?) -> String { percentText(value ?? 0) }
    return Table(
      "Nearest wrong classes: shares of the true class's samples, the largest first, at most \(most)",
      columns: [
        .text("True class"), .text("Nearest wrong class"), .number("Standard"), .number("AT"),
        .number("Errors, standard"), .number("Errors, AT"),
      ],
      rows: sorted.prefix(most).map { cell, _ in
        [
          names[cell[0]], names[cell[1]], share(a[cell]?.nearestShare),
          share(b[cell]?.nearestShare), share(a[cell]?.errorShare), share(b[cell]?.errorShare),
        ]
      })
  }

  /// How the other classes are ordered; nil with fewer than four classes.
  static func orderings(_ study: LogitStudy) -> Table? {
    guard let orderings = study.orderings else { return nil }
    let (standard, robust) = (orderings.standard, orderings.robust)
    return Table(
      "Orders of the classes below the predicted one", columns: [.text("What"), .number("Value")],
      rows: [
        ["Kendall's tau of the other classes' logits, standard and AT", number(orderings.tauBetween)],
        ["… two standard networks", number(orderings.tauWithinStandard)],
        ["… two AT networks", number(orderings.tauWithinRobust)],
        [
          "Entropy of the next three classes given the first (nats), standard",
          number(standard.topThreeEntropy),
        ],
        ["… AT", number(robust.topThreeEntropy)],
        ["… at most", number(standard.topThreeEntropyLimit)],
        [
          "Share of samples with their class's most frequent next three, standard",
          percentText(standard.mostFrequentShare),
        ],
        ["… AT", percentText(robust.mostFrequentShare)],
      ])
  }

  /// Calibration by network; nil without labels.
  static func calibration(_ results: StudyResults) -> Table? {
    let study = results.clean
    guard !study.standardCalibration.isEmpty, !study.robustCalibration.isEmpty else { return nil }
    let names = results.standardNames + results.robustNames
    return Table(
      "Expected calibration errors and fitted temperatures",
      columns: [
        .text("Network"), .number("ECE, equal counts"), .number("ECE, equal widths"), .number("Temperature"),
      ],
      rows: zip(names, study.standardCalibration + study.robustCalibration).map { name, calibration in
        [
          name, percentText(calibration.adaptiveError), percentText(calibration.equalWidthError),
          number(calibration.temperature),
        ]
      })
  }
}
