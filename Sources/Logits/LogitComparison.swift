import FileFormats
import Statistics

/// The logits of a standard and of an adversarially trained ("robust") network on the same samples.
///
/// Written as JSON with snake_case keys by its `Codable` conformance.
public struct LogitComparison: Sendable, Equatable, Codable {
  /// Where the standard network's logits come from.
  public let standardProvenance: [String: String]
  /// Where the robust network's logits come from.
  public let robustProvenance: [String: String]
  /// The comparison on all samples.
  public let all: Group
  /// The comparison on the samples that both networks classify correctly, a selection that controls for their
  /// accuracies; nil without labels or without such samples.
  public let jointlyCorrect: Group?

  enum CodingKeys: String, CodingKey {
    case standardProvenance = "standard_provenance"
    case robustProvenance = "robust_provenance"
    case all
    case jointlyCorrect = "jointly_correct"
  }

  /// The comparison on one set of samples.
  public struct Group: Sendable, Equatable, Codable {
    /// The number of samples.
    public let sampleCount: Int
    /// The standard network's share of correct predictions in [0, 1]; nil without labels.
    public let standardAccuracy: Double?
    /// The robust network's share of correct predictions in [0, 1]; nil without labels.
    public let robustAccuracy: Double?
    /// Spearman's correlation of the two networks' confidences, ties at average ranks; nil if one is constant.
    public let confidenceRankCorrelation: Double?
    /// The comparison by measure; without labels there is no margin.
    public let measures: [Measure: Pair]

    enum CodingKeys: String, CodingKey {
      case sampleCount = "sample_count"
      case standardAccuracy = "standard_accuracy"
      case robustAccuracy = "robust_accuracy"
      case confidenceRankCorrelation = "confidence_rank_correlation"
      case measures
    }

    init(_ standard: Measures, _ robust: Measures) {
      sampleCount = standard.predicted.count
      standardAccuracy = standard.isCorrect.map(share)
      robustAccuracy = robust.isCorrect.map(share)
      confidenceRankCorrelation = spearman(standard.confidence, robust.confidence)?.statistic
      measures = Measure.allCases.reduce(into: [:]) { result, measure in
        guard let a = standard.values(measure), let b = robust.values(measure) else { return }
        result[measure] = Pair(a, b)
      }
    }
  }

  /// One measure of both networks.
  public struct Pair: Sendable, Equatable, Codable {
    /// The standard network's values.
    public let standard: Distribution
    /// The robust network's values.
    public let robust: Distribution
    /// The mean over the samples of robust minus standard.
    public let meanDifference: Double
    /// The share of samples whose robust value is below the standard one, in [0, 1].
    public let shareRobustLower: Double

    enum CodingKeys: String, CodingKey {
      case standard, robust
      case meanDifference = "mean_difference"
      case shareRobustLower = "share_robust_lower"
    }

    init(_ standard: [Double], _ robust: [Double]) {
      let pairs = zip(standard, robust)
      self.standard = Distribution(standard)
      self.robust = Distribution(robust)
      meanDifference = pairs.reduce(0) { $0 + ($1.1 - $1.0) } / Double(standard.count)
      shareRobustLower = share(pairs.map { $1 < $0 })
    }
  }

  /// Compares two tables, matching their rows by sample id. Labels may be missing from one of them.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if the tables differ in classes, sample ids or labels.
  public init(standard: LogitTable, robust: LogitTable) throws {
    let (standard, robust) = try Self.matched(standard, robust)
    self.init(MeasuredTable(standard), MeasuredTable(robust))
  }

  /// Compares tables with equal samples in one order.
  init(_ standard: MeasuredTable, _ robust: MeasuredTable) {
    standardProvenance = standard.table.provenance
    robustProvenance = robust.table.provenance
    all = Group(standard.measures, robust.measures)
    jointlyCorrect = standard.jointlyCorrect(with: robust).map {
      Group(standard.measures.selecting($0), robust.measures.selecting($0))
    }
  }

  /// Both tables with rows in the order of `standard`'s and the same labels.
  /// - Parameter names: what errors call them.
  static func matched(
    _ standard: LogitTable, _ robust: LogitTable, names: (String, String) = ("standard", "robust")
  ) throws -> (standard: LogitTable, robust: LogitTable) {
    func fault(_ field: String, _ message: String) -> TemperError {
      TemperError(
        .badData, field: field, message,
        remedy: "All tables must come from the same samples of one data set.")
    }
    guard standard.classCount == robust.classCount else {
      throw fault(
        "logits", "have \(standard.classCount) classes (\(names.0)) and \(robust.classCount) (\(names.1)).")
    }
    guard standard.sampleCount == robust.sampleCount else {
      throw fault(
        "sample_ids", "are \(standard.sampleCount) (\(names.0)) and \(robust.sampleCount) (\(names.1)).")
    }
    let key = LogitTable.ProvenanceKey.imagesSHA256
    if let a = standard.provenance[key], let b = robust.provenance[key], a != b {
      throw fault(key, "differ: the logits of \(names.0) and of \(names.1) are of different images.")
    }
    let places = Dictionary(uniqueKeysWithValues: zip(robust.sampleIDs, 0...))
    let rows = try standard.sampleIDs.map { id in
      guard let row = places[id] else {
        throw fault("sample_ids", "differ: \(names.1) lacks \(id), which \(names.0) has.")
      }
      return row
    }
    let robust = robust.selecting(rows)
    if let a = standard.labels, let b = robust.labels, let row = a.indices.first(where: { a[$0] != b[$0] }) {
      throw fault(
        "labels",
        "differ for sample id \(standard.sampleIDs[row]): \(a[row]) (\(names.0)), \(b[row]) (\(names.1))."
      )
    }
    let labels = standard.labels ?? robust.labels
    return (standard.labelled(labels), robust.labelled(labels))
  }
}

extension LogitTable {
  /// This table with other labels, which must be valid.
  fileprivate func labelled(_ labels: [Int32]?) -> LogitTable {
    LogitTable(
      unchecked: logits, classCount: classCount, labels: labels, sampleIDs: sampleIDs,
      gapGradientNorms: gapGradientNorms, provenance: provenance)
  }
}
