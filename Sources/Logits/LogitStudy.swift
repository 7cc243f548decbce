import FileFormats
import Statistics

/// What adversarial training did to the logits, over one or more pairs of networks: standard and adversarially trained
/// ("robust"), of one seed each. Written as JSON with snake_case keys.
public struct LogitStudy: Sendable, Equatable, Codable {
  /// The number of samples.
  public let sampleCount: Int
  /// The number of classes.
  public let classCount: Int
  /// Each pair on its own.
  public let pairs: [LogitComparison]
  /// How far confidence is accuracy for each standard network; empty without labels.
  public let standardCalibration: [Calibration]
  /// How far confidence is accuracy for each robust network; empty without labels.
  public let robustCalibration: [Calibration]
  /// The differences between the two kinds, by samples and measure.
  public let effects: [Selection: [Measure: Effect]]
  /// The mean accuracy of the accuracy-matched standard networks; nil without them or without labels.
  public let matchedAccuracy: Double?
  /// Mean differences by true class; empty without labels.
  public let classes: [ClassDifference]
  /// Which wrong classes are nearest; nil without labels.
  public let confusions: Confusions?
  /// Agreement on which samples have high and low confidence, and logit gap.
  public let agreement: [Measure: Agreement]
  /// Which samples differ most.
  public let shift: ConfidenceShift
  /// The order of the other classes; nil with fewer than four classes.
  public let orderings: Orderings?
  /// Which figures are those of a part of the samples; nil if all are of all.
  public let thinned: Thinning?
  /// What the figures say about the claims that adversarial training shrinks logits, and chooses other samples.
  public internal(set) var claims: [Claim] = []

  /// Which samples, and which form of the logits, an effect is about.
  public enum Selection: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// All samples.
    case all
    /// Samples that both networks of a pair classify correctly: a selection that controls for accuracy.
    case jointlyCorrect = "jointly_correct"
    /// All samples, against standard networks whose training was stopped at the robust networks' accuracy.
    case accuracyMatched = "accuracy_matched"
    /// All samples, after each network's logits were divided by its fitted temperature: what is left is a difference of
    /// shape, not of scale.
    case temperatureMatched = "temperature_matched"
  }

  /// Differences on the samples of one true class, robust minus standard, in means over pairs.
  public struct ClassDifference: Sendable, Equatable, Codable {
    /// The class.
    public let label: Int
    /// Its samples.
    public let sampleCount: Int
    /// Of the mean logit gap.
    public let logitGap: Double
    /// Of the mean confidence.
    public let confidence: Double
    /// Of the accuracy, in [-1, 1].
    public let accuracy: Double

    enum CodingKeys: String, CodingKey {
      case label = "class"
      case sampleCount = "sample_count"
      case logitGap = "logit_gap"
      case confidence, accuracy
    }
  }

  /// Figures that are those of every n-th sample of the first table, and of the samples with their ids in the others. All
  /// other figures are of all samples.
  public struct Thinning: Sendable, Equatable, Codable {
    /// n.
    public let step: Int
    /// How many samples these are.
    public let sampleCount: Int
    /// The names of the figures in the study: they list samples, test by resampling, or order all classes.
    public let figures: [String]

    enum CodingKeys: String, CodingKey {
      case step, figures
      case sampleCount = "sample_count"
    }
  }

  enum CodingKeys: String, CodingKey {
    case pairs, effects, classes, confusions, agreement, shift, orderings, claims, thinned
    case sampleCount = "sample_count"
    case classCount = "class_count"
    case matchedAccuracy = "matched_accuracy"
    case standardCalibration = "standard_calibration"
    case robustCalibration = "robust_calibration"
  }

  /// Compares tables of the same samples, matched by sample id.
  ///
  /// Of tables in files only a piece is in memory at a time, and a few numbers per sample: for N samples and 2 S networks
  /// about (40 + 9 S) N bytes at the peak, whatever the number of classes. Only ``shift`` and ``orderings`` need the logits of
  /// several networks at once; of large tables they are of a part of the samples, see ``thinned``.
  ///
  /// - Parameters:
  ///   - standard: one table per seed.
  ///   - robust: one table per seed, in the same order.
  ///   - matched: logits of standard networks of the robust ones' accuracy, in the same order, or empty.
  ///   - heldOut: tables of other samples for fitting temperatures, all standard networks' and then all robust ones', or
  ///     empty: then temperatures are fitted on the samples themselves.
  ///   - features: a number per sample of the first table and name, such as the brightness of images.
  ///   - names: what errors call the networks: all standard ones', then the robust and the matched ones' files, or nil.
  ///   - mostThinned: Of more samples every n-th is used for the figures of ``thinned``, the first one included.
  /// - Throws: ``TemperError`` of kind `usage` if the numbers of tables do not fit, `badData` if the tables are not about the
  ///   same samples, and what reading a file throws.
  public init(
    standard: [any LogitSamples], robust: [any LogitSamples], matched: [any LogitSamples] = [],
    heldOut: [LogitTable] = [], features: [String: [Double]] = [:], names: [String]? = nil,
    mostThinned: Int = .max
  ) throws {
    try Self.checkCounts(standard.count, robust.count, matched.count)
    let seeds = standard.count
    let names = names ?? Self.names(seeds)
    let networks = try AlignedSamples.matching(standard + robust + matched, names: names)
    let (a, b) = (Array(networks[..<seeds]), Array(networks[seeds..<2 * seeds]))
    let controls = Array(networks[(2 * seeds)...])
    try Self.refuseRepetitions(a, names, "--standard")
    try Self.refuseRepetitions(b, Array(names[seeds...]), "--robust")
    // Controls may be equal; their logits must be finite too.
    for network in controls { _ = try network.fingerprint() }
    (sampleCount, classCount) = (a[0].sampleCount, a[0].classCount)
    matchedAccuracy = try Self.checkMatched(controls, b)
    let held =
      heldOut.isEmpty ? [AlignedSamples?](repeating: nil, count: 2 * seeds) : heldOut.map { .init($0) }
    standardCalibration = try zip(a, held).compactMap { try Calibration(of: $0, fittingOn: $1) }
    robustCalibration = try zip(b, held[seeds...]).compactMap { try Calibration(of: $0, fittingOn: $1) }
    let temperatures = (standardCalibration + robustCalibration).map(\.temperature)
    let paired = try PairedMeasures(a, b)
    pairs = try zip(zip(a, b), paired.pairs).map { try LogitComparison($0.0, $0.1, $1) }
    effects = try Self.effects(a, b, paired, controls, temperatures)
    classes = try Self.classDifferences(a, b)
    confusions = try Confusions(standard: a, robust: b)
    agreement = [
      .confidence: try Agreement(standard: a, robust: b) { try $0.certainties() },
      .logitGap: try Agreement(standard: a, robust: b) { try $0.values(.logitGap)! },
    ]
    let step = (sampleCount - 1) / mostThinned + 1
    let tables = try (a + b).map { try $0.table(every: step) }
    thinned =
      step == 1
      ? nil : Thinning(step: step, sampleCount: tables[0].sampleCount, figures: ["shift", "orderings"])
    let (x, y) = (Array(tables[..<seeds]), Array(tables[seeds...]))
    let chosen = features.mapValues { all in stride(from: 0, to: all.count, by: step).map { all[$0] } }
    shift = ConfidenceShift(standard: x, robust: y, every: step, features: chosen)
    orderings = Orderings(standard: x, robust: y)
    claims = Claim.all(of: self)
  }

  /// Every n-th sample of each table, so that at most so many are left: by their places in the first one, and by their ids
  /// in the others.
  ///
  /// - Throws: As ``init(standard:robust:matched:heldOut:features:mostThinned:)``.
  public static func thinnedTables(_ networks: [any LogitSamples], mostSamples: Int) throws -> [LogitTable] {
    try AlignedSamples.matching(networks, names: networks.indices.map { "table \($0 + 1)" }).map {
      try $0.table(every: ($0.sampleCount - 1) / mostSamples + 1)
    }
  }

  private static func checkCounts(_ standard: Int, _ robust: Int, _ matched: Int) throws {
    guard standard > 0, standard == robust, [0, robust].contains(matched) else {
      throw TemperError(
        .usage, field: "--robust",
        "names \(robust) networks, --standard \(standard)"
          + (matched == 0 ? "" : ", --matched \(matched)"),
        remedy: "Give as many of each, in the order of their seeds.")
    }
  }

  /// What networks without names are called.
  private static func names(_ seeds: Int) -> [String] {
    ["standard", "robust", "matched"].flatMap { kind in
      (1...seeds).map { seeds == 1 ? kind : "\(kind) \($0)" }
    }
  }

  /// Refuses networks of one kind that are the same one, and logits that are not finite.
  private static func refuseRepetitions(
    _ networks: [AlignedSamples], _ names: [String], _ option: String
  ) throws {
    let prints = try networks.map { try $0.fingerprint() }
    for (i, print) in prints.enumerated() {
      guard let other = prints.prefix(i).firstIndex(of: print) else { continue }
      throw TemperError(
        .usage, field: option,
        "names one network twice: the logits of \(names[other]) and \(names[i]) are equal",
        remedy: "Give networks of different seeds; copies are no evidence.")
    }
  }

  /// The mean accuracy of some networks; nil without labels.
  private static func accuracy(_ networks: [AlignedSamples]) throws -> Double? {
    let shares = try networks.compactMap { try $0.isCorrect().map(share) }
    return shares.isEmpty ? nil : mean(shares)
  }

  /// Refuses a control that is none.
  private static func checkMatched(_ matched: [AlignedSamples], _ robust: [AlignedSamples]) throws -> Double?
  {
    guard !matched.isEmpty, let a = try accuracy(matched), let b = try accuracy(robust) else { return nil }
    guard abs(a - b) <= 0.02 else {
      throw TemperError(
        .usage, field: "--matched",
        "have a mean accuracy of \(percent(a)), the robust networks \(percent(b))",
        remedy: "Give standard networks whose accuracy differs by at most 2 points.")
    }
    return a
  }

  private static func effects(
    _ standard: [AlignedSamples], _ robust: [AlignedSamples], _ paired: PairedMeasures,
    _ matched: [AlignedSamples], _ temperatures: [Double?]
  ) throws -> [Selection: [Measure: Effect]] {
    func effects(_ a: [AlignedSamples], _ b: [AlignedSamples]) throws -> [Measure: Effect] {
      let paired = try PairedMeasures(a, b, joint: false)
      return Effect.all(paired.pairs.map(\.all), paired.allMeans)
    }
    var result: [Selection: [Measure: Effect]] = [
      .all: Effect.all(paired.pairs.map(\.all), paired.allMeans)
    ]
    let joint = paired.pairs.compactMap(\.jointlyCorrect)
    if joint.count == standard.count { result[.jointlyCorrect] = Effect.all(joint, paired.jointMeans) }
    if !matched.isEmpty { result[.accuracyMatched] = try effects(matched, robust) }
    let fitted = temperatures.compactMap { $0 }
    if fitted.count == 2 * standard.count {
      let scaled = try zip(standard + robust, fitted).map { try $0.divided(by: $1).keepingSoftmax() }
      result[.temperatureMatched] = try effects(
        Array(scaled[..<standard.count]), Array(scaled[standard.count...]))
    }
    return result
  }

  private static func classDifferences(
    _ standard: [AlignedSamples], _ robust: [AlignedSamples]
  ) throws -> [ClassDifference] {
    guard let labels = standard[0].labels else { return [] }
    let classes = standard[0].classCount
    /// The mean of some values by class; NaN without samples.
    func means(_ values: [Double]) -> [Double] {
      var (sums, counts) = ([Double](repeating: 0, count: classes), [Double](repeating: 0, count: classes))
      for (label, value) in zip(labels, values) {
        sums[Int(label)] += value
        counts[Int(label)] += 1
      }
      return zip(sums, counts).map { $0 / $1 }
    }
    func differences(_ values: (AlignedSamples) throws -> [Double]) throws -> [Double] {
      let pairs = try zip(standard, robust).map { a, b in
        zip(means(try values(a)), means(try values(b))).map { $1 - $0 }
      }
      return (0..<classes).map { label in mean(pairs.map { $0[label] }) }
    }
    let gaps = try differences { try $0.values(.logitGap)! }
    let confidences = try differences { try $0.values(.confidence)! }
    let accuracies = try differences { try $0.isCorrect()!.map { $0 ? 1 : 0 } }
    let counts = labels.reduce(into: [Int](repeating: 0, count: classes)) { $0[Int($1)] += 1 }
    return counts.indices.filter { counts[$0] > 0 }.map {
      ClassDifference(
        label: $0, sampleCount: counts[$0], logitGap: gaps[$0], confidence: confidences[$0],
        accuracy: accuracies[$0])
    }
  }
}
