import Foundation
import Logits
import Statistics

extension StudyReport {
  var samples: Page.Section {
    var blocks: [Page.Block] = [.table(StudyText.agreement(study))]
    for (title, measure, range) in [
      ("Confidences", Measure.confidence, 0.0...1.0), ("Logit gaps", .logitGap, nil),
    ] {
      blocks.append(
        .plot(
          .pairs(
            "\(title) of the first pair",
            message: "Each cell counts test images; below the diagonal the value is lower with AT.",
            x: Plot.Axis("\(measure.title), standard", range: range), y: Plot.Axis("\(measure.title), AT"),
            xs: standard[0].values(measure)!, ys: robust[0].values(measure)!)))
    }
    return Page.Section(
      "Which samples", blocks, sections: [composition, features].compactMap { $0 } + galleries)
  }

  private var composition: Page.Section? {
    StudyText.composition(study, classNames).map {
      Page.Section("Classes", [.paragraph(StudyText.compositionSentence(study)), .table($0)])
    }
  }

  private var features: Page.Section? {
    StudyText.features(study).map { Page.Section("Images", [.table($0)]) }
  }

  private var galleries: [Page.Section] {
    guard let images else { return [] }
    func section(_ title: String, _ samples: [ConfidenceShift.Sample]) -> Page.Section {
      Page.Section(
        title,
        [
          .paragraph(
            "The largest differences of the rank of confidence; the share of images with a lower confidence is named."
              + " Probabilities are means over the seeds."),
          .gallery(Gallery(title, cards: samples.map { card($0, images) })),
        ])
    }
    return [
      section("AT is more confident", study.shift.robustHigher),
      section("Standard networks are more confident", study.shift.standardHigher),
    ]
  }

  private func card(_ sample: ConfidenceShift.Sample, _ images: Images) -> Gallery.Card {
    func prediction(_ model: String, _ rank: Double, _ top: [ConfidenceShift.ClassProbability])
      -> Gallery.Prediction
    {
      Gallery.Prediction(
        "\(model), rank \(Int((rank * 100).rounded())) %",
        top.map { (name: classNames[$0.index], probability: min(1, max(0, $0.probability))) })
    }
    return Gallery.Card(
      image: images.png(sample.row), title: "sample \(sample.sampleID)",
      label: sample.label.map { classNames[Int($0)] } ?? "unknown",
      predictions: [
        prediction("standard", sample.standardRank, sample.standardTop),
        prediction("AT", sample.robustRank, sample.robustTop),
      ])
  }

  var orderings: Page.Section? {
    guard let orderings = study.orderings, let table = StudyText.orderings(study) else { return nil }
    let kinds = [("standard networks", orderings.standard), ("AT", orderings.robust)]
    let ranks = kinds.compactMap { name, kind in
      kind.meanRanks.map {
        heatMap(
          "Mean ranks, \(name)",
          "By predicted class. Rank 1 is the next class after it; means over samples, then over seeds.",
          "predicted class", Plot.Axis("mean rank"), $0)
      }
    }
    let probabilities = kinds.compactMap { name, kind in
      kind.meanProbabilities.map {
        heatMap(
          "Mean probabilities, \(name)",
          "By true class. Off the diagonal: which classes are held to be which.",
          "true class",
          Plot.Axis("mean probability", range: 0...1), $0)
      }
    }
    return Page.Section("Orders of the other classes", [.table(table)] + ranks + probabilities)
  }

  private func heatMap(
    _ title: String, _ message: String, _ rows: String, _ value: Plot.Axis, _ matrix: [[Double]]
  ) -> Page.Block {
    .plot(
      .matrix(
        title, message: message, x: Plot.Axis("other class"), y: Plot.Axis(rows), value: value,
        labels: classNames,
        values: matrix.flatMap { $0 }))
  }

  var calibration: Page.Section? {
    guard let table = StudyText.calibration(results) else { return nil }
    func bins(_ name: String, _ calibration: Calibration) -> Plot.Reliability {
      Plot.Reliability(
        name,
        calibration.bins.map { .init(confidence: $0.confidence, accuracy: $0.accuracy, count: $0.count) })
    }
    return Page.Section(
      "Calibration",
      [
        .plot(
          .reliability(
            "Accuracy over confidence, first pair",
            message: "On the diagonal, confidence is accuracy; below it, the network is overconfident.",
            series: [
              bins("standard", study.standardCalibration[0]), bins("AT", study.robustCalibration[0]),
            ])),
        .table(table),
        .paragraph(
          "15 bins. A temperature below 1 means that the network is less confident than it is accurate. Temperatures are"
            + " fitted on validation images where runs were given."),
      ])
  }
}
