import Randomness
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
    /// The mean rank of its confidence among all samples of a standard network, over their number, in (0, 1].
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
    /// Chi-squared of the two compositions, and its exact p over all ways to swap the kinds within pairs of networks, which
    /// cannot be below 2 to the power of 1 minus their number. nil if a tenth is empty or only one class occurs.
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
  ///   - step: Tables hold every so many-th sample of the first one.
  ///   - features: a number per sample and name, such as the brightness of its image.
  init(standard: [LogitTable], robust: [LogitTable], every step: Int = 1, features: [String: [Double]]) {
    // Reading tables in memory throws nothing.
    let certainties = (standard + robust).map { averageRanks(try! AlignedSamples($0).certainties()) }
    let seeds = standard.count
    let ranks = [certainties[..<seeds], certainties[seeds...]].map { kind in
      certainties[0].indices.map { row in mean(kind.map { $0[row] }) / Double(certainties[0].count) }
    }
    let tenths = Tenths(zip(ranks[0], ranks[1]).map { $1 - $0 })
    let (robustTenth, standardTenth) = (tenths.highest, tenths.lowest)
    func sample(_ row: Int) -> Sample {
      Sample(
        sampleID: standard[0].sampleIDs[row], row: row * step, label: standard[0].labels?[row],
        standardRank: ranks[0][row], robustRank: ranks[1][row], standardTop: Self.top(standard, row),
        robustTop: Self.top(robust, row))
    }
    robustHigher = robustTenth.prefix(Self.listed).map(sample)
    standardHigher = standardTenth.prefix(Self.listed).map(sample)
    composition = standard[0].labels.map { labels in
      func counts(_ rows: some Sequence<Int>) -> [Int] {
        rows.reduce(into: [Int](repeating: 0, count: standard[0].classCount)) { $0[Int(labels[$1])] += 1 }
      }
      let (a, b) = (counts(robustTenth), counts(standardTenth))
      return Composition(
        robustHigher: a, standardHigher: b, all: counts(labels.indices),
        test: Self.swapTest(certainties, labels, standard[0].classCount))
    }
    let hasTenths = !robustTenth.isEmpty && !standardTenth.isEmpty
    let names = hasTenths ? features.keys.sorted() : []
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

  /// Chi-squared of the two tenths' classes, and its exact p if, in each pair of networks, either could be the robust one:
  /// the share of all ways to swap kinds within pairs (or of 1,024 random ones) that give as much. nil if a tenth is empty.
  private static func swapTest(_ ranks: [[Double]], _ labels: [Int32], _ classes: Int) -> TestResult? {
    let seeds = ranks.count / 2
    let differences = (0..<seeds).map { seed in zip(ranks[seed], ranks[seeds + seed]).map { $1 - $0 } }
    func statistic(_ swapped: Int) -> Double? {
      let tenths = Tenths(
        labels.indices.map { row in
          (0..<seeds).reduce(0) { $0 + (swapped >> $1 & 1 == 0 ? 1 : -1) * differences[$1][row] }
        })
      func counts(_ rows: [Int]) -> [Double] {
        rows.reduce(into: [Double](repeating: 0, count: classes)) { $0[Int(labels[$1])] += 1 }
      }
      return chiSquaredTest([counts(tenths.highest), counts(tenths.lowest)])?.result.statistic
    }
    guard let observed = statistic(0) else { return nil }
    var stream = RandomStream(seed: 0, purpose: .signFlips)
    // Swapping all pairs gives the same statistic: the last one stays.
    let swaps =
      seeds <= 11
      ? Array(0..<1 << (seeds - 1))
      : [0] + (1..<1024).map { _ in stream.nextInteger(below: 1 << min(31, seeds - 1)) }
    let asMuch = swaps.count { (statistic($0) ?? 0) >= observed * (1 - 1e-12) }
    return TestResult(statistic: observed, pValue: Double(asMuch) / Double(swaps.count))
  }

  /// The rows with the largest differences both ways: a tenth of all each, or fewer if fewer differ.
  private struct Tenths {
    /// Rows whose difference is above 0, the largest first.
    let highest: [Int]
    /// Rows whose difference is below 0, the lowest first.
    let lowest: [Int]

    init(_ differences: [Double]) {
      let order = differences.indices.sorted {
        differences[$0] != differences[$1] ? differences[$0] > differences[$1] : $0 < $1
      }
      let tenth = max(1, order.count / 10)
      highest = order.prefix(tenth).filter { differences[$0] > 0 }
      lowest = order.suffix(tenth).reversed().filter { differences[$0] < 0 }
    }
  }

  private static func top(_ tables: [LogitTable], _ row: Int) -> [ClassProbability] {
    var probabilities = [Double](repeating: 0, count: tables[0].classCount)
    for table in tables {
      table.withRow(row) { logits in
        let softmax = logits.softmax
        for (index, value) in logits.values.enumerated() {
          probabilities[index] += softmax.probability(value) / Double(tables.count)
        }
      }
    }
    let order = probabilities.indices.sorted {
      probabilities[$0] != probabilities[$1] ? probabilities[$0] > probabilities[$1] : $0 < $1
    }
    return order.prefix(3).map { ClassProbability(index: $0, probability: probabilities[$0]) }
  }
}
