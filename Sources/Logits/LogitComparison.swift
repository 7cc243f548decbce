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

    fileprivate init(
      _ sampleCount: Int, accuracies: (standard: Double, robust: Double)?, correlation: Double?,
      _ measures: [Measure: PairedValues]
    ) {
      self.sampleCount = sampleCount
      standardAccuracy = accuracies?.standard
      robustAccuracy = accuracies?.robust
      confidenceRankCorrelation = correlation
      self.measures = measures.mapValues { Pair($0) }
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

    fileprivate init(_ values: PairedValues) {
      (standard, robust) = (values.standard, values.robust)
      (meanDifference, shareRobustLower) = (values.difference, values.shareRobustLower)
    }
  }

  /// Compares two tables, matching their rows by sample id. Labels may be missing from one of them.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if the tables differ in classes, sample ids or labels.
  public init(standard: any LogitSamples, robust: any LogitSamples) throws {
    let networks = try AlignedSamples.matching([standard, robust], names: ["standard", "robust"])
    try self.init(networks[0], networks[1], PairedMeasures([networks[0]], [networks[1]]).pairs[0])
  }

  /// Compares two networks whose measures were paired already.
  init(_ standard: AlignedSamples, _ robust: AlignedSamples, _ measures: PairedMeasures.Pair) throws {
    standardProvenance = standard.samples.provenance
    robustProvenance = robust.samples.provenance
    var accuracies: (standard: Double, robust: Double)?
    if let a = try standard.isCorrect(), let b = try robust.isCorrect() { accuracies = (share(a), share(b)) }
    let ranksA = doubledRanks(try standard.values(.confidence)!)
    let ranksB = doubledRanks(try robust.values(.confidence)!)
    all = Group(
      standard.sampleCount, accuracies: accuracies,
      correlation: rankCorrelation(ranksA, ranksB)?.statistic, measures.all)
    jointlyCorrect = measures.jointlyCorrect.map { joint in
      let isJoint = measures.isJoint!
      func ranks(_ ranks: [UInt32]) -> [UInt32] {
        doubledRanks(zip(ranks, isJoint).compactMap { $1 ? Double($0) : nil })
      }
      return Group(
        isJoint.count { $0 }, accuracies: (1, 1),
        correlation: rankCorrelation(ranks(ranksA), ranks(ranksB))?.statistic, joint)
    }
  }
}
