import Foundation
import Statistics

/// Which samples are more confident for one kind of network than for the other, by rank: a network that is less confident
/// everywhere has the same ranks. Written as JSON with snake_case keys.
public struct ConfidenceShift: Sendable, Equatable, Codable {
  /// The samples with the largest rank of the robust networks compared with the standard ones', largest difference first.
  public let robustHigher: [Sample]
  /// The samples with the largest rank of the standard networks.
  public let standardHigher: [Sample]
  /// Which classes the tenths of samples with the largest differences consist of; nil without labels.
  public let composition: Composition?
  /// How images of the two tenths differ, by feature.
  public let features: [String: FeatureContrast]

  /// One sample, in means over seeds.
  public struct Sample: Sendable, Equatable, Codable {
    /// Its id in the tables, and its place in the first one.
    public let sampleID: Int64
    /// Its row in the first table.
    public let row: Int
    /// Its true class, if known.
    public let label: Int32?
    /// The share of samples with a lower confidence of the standard networks, in (0, 1].
    public let standardRank: Double
    /// The same for the robust networks.
    public let robustRank: Double
    /// The three classes that are likeliest for the standard networks.
    public let standardTop: [ClassProbability]
    /// The three classes that are likeliest for the robust networks.
    public let robustTop: [ClassProbability]

    enum CodingKeys: String, CodingKey {
      case sampleID = "sample_id"
      case row, label
      case standardRank = "standard_rank"
      case robustRank = "robust_rank"
      case standardTop = "standard_top"
      case robustTop = "robust_top"
    }
  }

  /// A class and its probability.
  public struct ClassProbability: Sendable, Equatable, Codable {
    /// The class.
    public let index: Int
    /// The mean over seeds of its softmax probability.
    public let probability: Double

    enum CodingKeys: String, CodingKey {
      case index = "class"
      case probability
    }
  }

  /// Counts by true class.
  public struct Composition: Sendable, Equatable, Codable {
    /// Of the tenth in which robust networks are more confident, by rank.
    public let robustHigher: [Int]
    /// Of the tenth in which standard networks are.
    public let standardHigher: [Int]
    /// Of all samples.
    public let all: [Int]
    /// Pearson's test that the two tenths have the same composition; nil if only one class occurs.
    public let test: TestResult?

    enum CodingKeys: String, CodingKey {
      case robustHigher = "robust_higher"
      case standardHigher = "standard_higher"
      case all, test
    }
  }

  /// Means of a feature of images.
  public struct FeatureContrast: Sendable, Equatable, Codable {
    /// Of the tenth in which robust networks are more confident, by rank.
    public let robustHigher: Double
    /// Of the tenth in which standard networks are.
    public let standardHigher: Double
    /// Of all samples.
    public let all: Double
    /// The Kolmogorov-Smirnov test of the two tenths, its p corrected by Holm for all features.
    public let test: TestResult

    enum CodingKeys: String, CodingKey {
      case robustHigher = "robust_higher"
      case standardHigher = "standard_higher"
      case all, test
    }
  }

  enum CodingKeys: String, CodingKey {
    case robustHigher = "robust_higher"
    case standardHigher = "standard_higher"
    case composition, features
  }

  /// How many samples each list holds.
  public static let listed = 24

  /// - Parameters:
  ///   - features: a number per sample and name, such as the brightness of its image.
  init(standard: [LogitTable], robust: [LogitTable], features: [String: [Double]]) {
    let ranks = [standard, robust].map(Self.meanRanks)
    let order = ranks[0].indices.sorted {
      let (a, b) = (ranks[1][$0] - ranks[0][$0], ranks[1][$1] - ranks[0][$1])
      return a != b ? a > b : $0 < $1
    }
    let tenth = max(1, order.count / 10)
    let (robustTenth, standardTenth) = (order.prefix(tenth), order.suffix(tenth))
    func sample(_ row: Int) -> Sample {
      Sample(
        sampleID: standard[0].sampleIDs[row], row: row, label: standard[0].labels?[row],
        standardRank: ranks[0][row], robustRank: ranks[1][row], standardTop: Self.top(standard, row),
        robustTop: Self.top(robust, row))
    }
    robustHigher = order.prefix(Self.listed).map(sample)
    standardHigher = order.suffix(Self.listed).reversed().map(sample)
    composition = standard[0].labels.map { labels in
      func counts(_ rows: some Sequence<Int>) -> [Int] {
        rows.reduce(into: [Int](repeating: 0, count: standard[0].classCount)) { $0[Int(labels[$1])] += 1 }
      }
      let (a, b) = (counts(robustTenth), counts(standardTenth))
      return Composition(
        robustHigher: a, standardHigher: b, all: counts(labels.indices),
        test: chiSquaredTest([a.map(Double.init), b.map(Double.init)])?.result)
    }
    let names = features.keys.sorted()
    let tests = names.map { name in
      kolmogorovSmirnov(robustTenth.map { features[name]![$0] }, standardTenth.map { features[name]![$0] })
    }
    var contrasts: [String: FeatureContrast] = [:]
    for (name, (test, p)) in zip(names, zip(tests, holm(tests.map(\.pValue)))) {
      let values = features[name]!
      contrasts[name] = FeatureContrast(
        robustHigher: mean(robustTenth.map { values[$0] }),
        standardHigher: mean(standardTenth.map { values[$0] }), all: mean(values),
        test: TestResult(statistic: test.statistic, pValue: p))
    }
    self.features = contrasts
  }

  /// The mean over tables of each sample's rank by confidence, over the number of samples.
  private static func meanRanks(_ tables: [LogitTable]) -> [Double] {
    let ranks = tables.map { table in
      let rows = (0..<table.sampleCount).map { LogitRow(table.row($0)) }
      // Where confidences round to 1, doubts still differ.
      return averageRanks(rows.map { -$0.doubt })
    }
    return ranks[0].indices.map { row in mean(ranks.map { $0[row] }) / Double(ranks[0].count) }
  }

  private static func top(_ tables: [LogitTable], _ row: Int) -> [ClassProbability] {
    var probabilities = [Double](repeating: 0, count: tables[0].classCount)
    for table in tables {
      let logits = LogitRow(table.row(row))
      for (index, value) in logits.values.enumerated() {
        probabilities[index] += exp(value - logits.maximum) * logits.confidence / Double(tables.count)
      }
    }
    let order = probabilities.indices.sorted {
      probabilities[$0] != probabilities[$1] ? probabilities[$0] > probabilities[$1] : $0 < $1
    }
    return order.prefix(3).map { ClassProbability(index: $0, probability: probabilities[$0]) }
  }
}
