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
  /// Agreement on which samples have high and low confidence, and logit gap.
  public let agreement: [Measure: Agreement]
  /// Which samples differ most.
  public let shift: ConfidenceShift
  /// The order of the other classes; nil with fewer than four classes.
  public let orderings: Orderings?
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

  enum CodingKeys: String, CodingKey {
    case pairs, effects, classes, agreement, shift, orderings, claims
    case sampleCount = "sample_count"
    case classCount = "class_count"
    case matchedAccuracy = "matched_accuracy"
    case standardCalibration = "standard_calibration"
    case robustCalibration = "robust_calibration"
  }

  /// Compares tables of the same samples, matched by sample id.
  ///
  /// - Parameters:
  ///   - standard: one table per seed.
  ///   - robust: one table per seed, in the same order.
  ///   - matched: logits of standard networks of the robust ones' accuracy, in the same order, or empty.
  ///   - heldOut: tables of other samples for fitting temperatures, all standard networks' and then all robust ones', or
  ///     empty: then temperatures are fitted on the samples themselves.
  ///   - features: a number per sample of the first table and name, such as the brightness of images.
  ///   - names: what errors call the networks: all standard ones', then the robust and the matched ones' files, or nil.
  /// - Throws: ``TemperError`` of kind `usage` if the numbers of tables do not fit, `badData` if the tables are not about the
  ///   same samples.
  public init(
    standard: [LogitTable], robust: [LogitTable], matched: [LogitTable] = [], heldOut: [LogitTable] = [],
    features: [String: [Double]] = [:], names: [String]? = nil
  ) throws {
    guard !standard.isEmpty, standard.count == robust.count, [0, robust.count].contains(matched.count) else {
      throw TemperError(
        .usage, field: "--robust",
        "names \(robust.count) networks, --standard \(standard.count)"
          + (matched.isEmpty ? "" : ", --matched \(matched.count)"),
        remedy: "Give as many of each, in the order of their seeds.")
    }
    let seeds = standard.count
    let names = names ?? Self.names(seeds)
    let tables = try Self.aligned(standard + robust + matched, names)
    try Self.refuseRepetitions(tables[..<seeds], names, "--standard")
    try Self.refuseRepetitions(tables[seeds..<2 * seeds], names, "--robust")
    (sampleCount, classCount) = (tables[0].sampleCount, tables[0].classCount)
    let networks = tables.map { MeasuredTable($0) }
    let (standard, robust) = (Array(networks[..<seeds]), Array(networks[seeds..<2 * seeds]))
    let matched = Array(networks[(2 * seeds)...])
    matchedAccuracy = try Self.checkMatched(matched, robust)
    pairs = zip(standard, robust).map { LogitComparison($0, $1) }
    let held = heldOut.isEmpty ? [LogitTable?](repeating: nil, count: 2 * seeds) : heldOut
    standardCalibration = zip(standard, held).compactMap { Calibration(of: $0, fittingOn: $1) }
    robustCalibration = zip(robust, held[seeds...]).compactMap { Calibration(of: $0, fittingOn: $1) }
    let temperatures = (standardCalibration + robustCalibration).map(\.temperature)
    effects = Self.effects(standard, robust, matched, temperatures)
    classes = Self.classDifferences(standard, robust)
    agreement = [
      .confidence: Agreement(
        standard: standard.map(\.measures.certainties), robust: robust.map(\.measures.certainties)),
      .logitGap: Agreement(
        standard: standard.map(\.measures.logitGap), robust: robust.map(\.measures.logitGap)),
    ]
    shift = ConfidenceShift(standard: standard, robust: robust, features: features)
    orderings = Orderings(standard: standard.map(\.table), robust: robust.map(\.table))
    claims = Claim.all(of: self)
  }

  /// What networks without names are called.
  private static func names(_ seeds: Int) -> [String] {
    ["standard", "robust", "matched"].flatMap { kind in
      (1...seeds).map { seeds == 1 ? kind : "\(kind) \($0)" }
    }
  }

  /// The tables with rows in the order of the first one's, and the labels that any of them has.
  private static func aligned(_ tables: [LogitTable], _ names: [String]) throws -> [LogitTable] {
    var first = tables[0]
    if first.labels == nil, let labelled = tables.firstIndex(where: { $0.labels != nil }) {
      first = try LogitComparison.matched(first, tables[labelled], names: (names[0], names[labelled]))
        .standard
    }
    return try [first]
      + tables.indices.dropFirst().map {
        try LogitComparison.matched(first, tables[$0], names: (names[0], names[$0])).robust
      }
  }

  /// Refuses networks of one kind that are the same one.
  private static func refuseRepetitions(
    _ tables: ArraySlice<LogitTable>, _ names: [String], _ option: String
  ) throws {
    for (i, table) in zip(tables.indices, tables) {
      guard let other = tables[..<i].firstIndex(where: { $0.logits == table.logits }) else { continue }
      throw TemperError(
        .usage, field: option,
        "names one network twice: the logits of \(names[other]) and \(names[i]) are equal",
        remedy: "Give networks of different seeds; copies are no evidence.")
    }
  }

  /// The mean accuracy of some tables; nil without labels.
  private static func accuracy(_ tables: [MeasuredTable]) -> Double? {
    let shares = tables.compactMap { $0.measures.isCorrect.map(share) }
    return shares.isEmpty ? nil : mean(shares)
  }

  /// Refuses a control that is none.
  private static func checkMatched(_ matched: [MeasuredTable], _ robust: [MeasuredTable]) throws
    -> Double?
  {
    guard !matched.isEmpty, let a = accuracy(matched), let b = accuracy(robust) else { return nil }
    guard abs(a - b) <= 0.02 else {
      throw TemperError(
        .usage, field: "--matched",
        "have a mean accuracy of \(percent(a)), the robust networks \(percent(b))",
        remedy: "Give standard networks whose accuracy differs by at most 2 points.")
    }
    return a
  }

  private static func effects(
    _ standard: [MeasuredTable], _ robust: [MeasuredTable], _ matched: [MeasuredTable],
    _ temperatures: [Double?]
  ) -> [Selection: [Measure: Effect]] {
    func effects(_ a: [Measures], _ b: [Measures], rows: [[Int]]? = nil) -> [Measure: Effect] {
      Effect.all(zip(a, b).map { (standard: $0, robust: $1) }, rows: rows)
    }
    let (a, b) = (standard.map(\.measures), robust.map(\.measures))
    var result: [Selection: [Measure: Effect]] = [.all: effects(a, b)]
    let joint = zip(standard, robust).compactMap { $0.jointlyCorrect(with: $1) }
    if joint.count == standard.count {
      result[.jointlyCorrect] = effects(
        zip(a, joint).map { $0.selecting($1) }, zip(b, joint).map { $0.selecting($1) }, rows: joint)
    }
    if !matched.isEmpty { result[.accuracyMatched] = effects(matched.map(\.measures), b) }
    let fitted = temperatures.compactMap { $0 }
    if fitted.count == 2 * standard.count {
      let scaled = zip(standard + robust, fitted).map { $0.table.divided(by: $1).measures() }
      result[.temperatureMatched] = effects(
        Array(scaled[..<standard.count]), Array(scaled[standard.count...]))
    }
    return result
  }

  private static func classDifferences(_ standard: [MeasuredTable], _ robust: [MeasuredTable])
    -> [ClassDifference]
  {
    guard let labels = standard[0].table.labels else { return [] }
    let pairs = zip(standard, robust).map { ($0.measures, $1.measures) }
    return (0..<standard[0].table.classCount).compactMap { label in
      let rows = labels.indices.filter { labels[$0] == Int32(label) }
      guard !rows.isEmpty else { return nil }
      func difference(_ values: (Measures) -> (Int) -> Double) -> Double {
        mean(pairs.map { a, b in mean(rows.map(values(b))) - mean(rows.map(values(a))) })
      }
      return ClassDifference(
        label: label, sampleCount: rows.count,
        logitGap: difference { m in { m.logitGap[$0] } },
        confidence: difference { m in { m.confidence[$0] } },
        accuracy: difference { m in { m.isCorrect![$0] ? 1 : 0 } })
    }
  }
}
