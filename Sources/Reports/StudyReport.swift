import Foundation
import Logits
import Statistics

/// The report of a study of logits: claims, distributions, galleries and theory on one self-contained page.
public struct StudyReport: Sendable {
  /// The images that the first table's rows are logits of.
  public struct Images: Sendable {
    let height, width, channels: Int
    let bytes: [UInt8]

    /// - Parameter bytes: (samples, height, width, channels), with 1 or 3 channels.
    public init(height: Int, width: Int, channels: Int, bytes: [UInt8]) {
      precondition(channels == 1 || channels == 3, "images are grey or RGB")
      (self.height, self.width, self.channels) = (height, width, channels)
      self.bytes = bytes
    }

    func png(_ row: Int) -> PNG {
      let size = height * width * channels
      let pixels = Array(bytes[row * size..<(row + 1) * size])
      return channels == 1
        ? PNG(width: width, height: height, grey: pixels) : PNG(width: width, height: height, rgb: pixels)
    }
  }

  let results: StudyResults
  /// Measures of clean images, one per network.
  let standard, robust: [Measures]
  let sampleIDs: [Int64]
  let images: Images?
  let classNames: [String]
  let commands: [String]

  var study: LogitStudy { results.clean }

  /// Creates a report.
  /// - Parameters:
  ///   - standard: the standard networks' logits of clean images, which ``StudyResults/clean`` was made of; if it is thinned, as
  ///     ``LogitStudy/thinnedTables(_:mostSamples:)`` gives them. Their rows are of the same samples.
  ///   - robust: the adversarially trained networks' logits of them.
  ///   - images: the same images, or nil for a report without galleries.
  ///   - classNames: what the classes are called.
  ///   - commands: what reproduces the report.
  public init(
    _ results: StudyResults, standard: [LogitTable], robust: [LogitTable], images: Images?,
    classNames: [String], commands: [String]
  ) {
    precondition(classNames.count == results.clean.classCount, "each class needs a name")
    self.results = results
    self.standard = standard.map { $0.measures() }
    self.robust = robust.map { $0.measures() }
    sampleIDs = standard[0].sampleIDs
    self.images = images
    self.classNames = classNames
    self.commands = commands
  }

  /// The page; see ``Page/html(gnuplot:)``.
  public var page: Page {
    Page(
      "What adversarial training did to the logits", summary: summary,
      sections: [
        claims, distributions, attacked, samples, confusions, orderings, calibration, theory, dose, networks,
        methods,
        data,
      ].compactMap { $0 })
  }

  private var summary: [String] {
    let seeds = study.pairs.count
    var text = [
      "\(seeds) \(seeds == 1 ? "pair" : "pairs") of networks, a standard and an adversarially trained one (AT) of each seed,"
        + " on \(study.sampleCount) \(images == nil ? "samples" : "test images") of \(study.classCount) classes."
    ]
    if let gap = study.effects[.all]?[.logitGap], let maximum = study.effects[.all]?[.centredMax] {
      text.append(
        "The logit gap is \(StudyText.number(gap.robustMean)) with AT and \(StudyText.number(gap.standardMean)) without;"
          + " the max logit above the mean is \(StudyText.number(maximum.robustMean)) and"
          + " \(StudyText.number(maximum.standardMean)).")
    }
    if let thinned = study.thinned {
      text.append(StudyText.sentence(thinned, of: study.sampleCount))
      text.append("Plots of distributions and of pairs, and samples.npz, show these samples too.")
    }
    if seeds < 3 { text.append(StudyText.fewSeeds) }
    return text
  }

  private var claims: Page.Section {
    let counts = Dictionary(grouping: results.claims, by: \.verdict).mapValues(\.count)
    let rows: [(String, Measure)] = [
      ("logit gap", .logitGap), ("max minus mean", .centredMax), ("entropy (nats)", .entropy),
      ("margin", .margin),
    ]
    let series = LogitStudy.Selection.allCases.compactMap { selection -> Plot.Estimates? in
      guard let effects = study.effects[selection] else { return nil }
      return Plot.Estimates(
        Self.name(selection),
        rows.compactMap { label, measure in
          effects[measure].map {
            Plot.Estimates.Row(
              label, $0.difference, interval: $0.tInterval.map { $0.lower...$0.upper })
          }
        })
    }
    return Page.Section(
      "Claims",
      [
        .paragraph(
          "Consistent with the figures: \(counts[.consistent] ?? 0). Inconsistent: \(counts[.inconsistent] ?? 0). Undecided:"
            + " \(counts[.undecided] ?? 0); without a rule: \(counts[.descriptive] ?? 0). The statements are those of the abstract of Seguin et al., arXiv"
            + " 2108.12001, in other words, and consequences that theory draws; the rules are the project's and stand in the last column."
        ),
        .table(StudyText.claims(results.claims)),
        .plot(
          .estimates(
            "Differences, AT minus standard",
            message:
              "Left of zero AT is lower. The intervals are 95 % t intervals over seeds.",
            x: Plot.Axis("AT minus standard"), series: series)),
      ])
  }

  static func name(_ selection: LogitStudy.Selection) -> String {
    switch selection {
    case .all: "all samples"
    case .jointlyCorrect: "both correct"
    case .accuracyMatched: "equal accuracy"
    case .temperatureMatched: "equal temperature"
    }
  }

  private var distributions: Page.Section {
    let parts = [Measure.logitGap, .centredMax].map { measure in
      let series = [
        Plot.Samples("standard", standard.flatMap { $0.values(measure)! }),
        Plot.Samples("AT", robust.flatMap { $0.values(measure)! }),
      ]
      let effect = study.effects[.all]![measure]!
      let message =
        "The mean is \(StudyText.number(effect.standardMean)) for standard networks and"
        + " \(StudyText.number(effect.robustMean)) with AT; AT's is lower for \(percentText(effect.shareRobustLower)) of the"
        + " samples. All seeds together."
      return Page.Section(
        measure.title.prefix(1).uppercased() + measure.title.dropFirst(),
        [
          .plot(
            .histogram(
              "Density of the \(measure.title)", message: message, x: Plot.Axis(measure.title), series: series
            )),
          .plot(
            .ecdf(
              "Share of samples below a \(measure.title)", message: message, x: Plot.Axis(measure.title),
              series: series)),
        ])
    }
    return Page.Section(
      "Max logit and logit gap", [],
      sections: parts
        + [Page.Section("All measures", StudyText.comparison(study)), classDifferences].compactMap { $0 })
  }

  private var classDifferences: Page.Section? {
    StudyText.classes(study, classNames).map { Page.Section("By true class", [.table($0)]) }
  }

  private var attacked: Page.Section? {
    guard let study = results.attacked, let effects = study.effects[.all] else { return nil }
    return Page.Section(
      "Under attack",
      [
        .paragraph(
          "Each network is attacked on its own, on \(study.sampleCount) images. Margins below 0 are errors."),
        .table(StudyText.effects(effects, .all)),
      ])
  }
}
