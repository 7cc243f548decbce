import FileFormats

/// A standard and an adversarially trained network's logits on the same samples, measure by measure.
public struct LogitComparison: Codable, Sendable {
  /// One measure of both networks.
  public struct Row: Codable, Sendable {
    public let measure: Measures.Name
    public let standard: Summary
    public let robust: Summary
    /// Mean over the samples of robust minus standard.
    public let meanDifference: Double
    /// Share of samples whose value is lower for the robust network.
    public let shareLower: Double
    /// Spearman's rank correlation over the samples; NaN becomes nil.
    public let rankCorrelation: Double?

    enum CodingKeys: String, CodingKey {
      case measure, standard, robust
      case meanDifference = "mean_difference"
      case shareLower = "share_lower"
      case rankCorrelation = "rank_correlation"
    }
  }

  /// The comparison on one group of samples.
  public struct Group: Codable, Sendable {
    public let count: Int
    public let measures: [Row]
  }

  public let standardAccuracy: Double?
  public let robustAccuracy: Double?
  /// On every sample.
  public let all: Group
  /// On the samples that both networks predict right, or nil without labels or without such samples.
  public let jointlyCorrect: Group?

  enum CodingKeys: String, CodingKey {
    case all
    case standardAccuracy = "standard_accuracy"
    case robustAccuracy = "robust_accuracy"
    case jointlyCorrect = "jointly_correct"
  }

  /// Compares two tables.
  /// - Throws: `.badData` unless both hold the same samples with the same labels and classes.
  public init(standard: LogitTable, robust: LogitTable) throws {
    func bad(_ field: String, _ message: String) -> TemperError {
      TemperError(.badData, field: field, message, remedy: "Compare tables of the same samples.")
    }
    guard standard.sampleIDs == robust.sampleIDs else { throw bad("sample_ids", "of the two tables differ") }
    guard standard.classes == robust.classes else {
      throw bad("logits", "have \(standard.classes) and \(robust.classes) classes")
    }
    if let a = standard.labels, let b = robust.labels, a != b { throw bad("labels", "of the two tables differ") }
    let (a, b) = (Measures(of: standard), Measures(of: robust))
    standardAccuracy = a.accuracy
    robustAccuracy = b.accuracy
    all = Self.group(a, b, Array(0..<standard.count))
    let joint = zip(a.correct ?? [], b.correct ?? []).enumerated().filter { $1.0 && $1.1 }.map(\.offset)
    jointlyCorrect = joint.isEmpty ? nil : Self.group(a, b, joint)
  }

  private static func group(_ a: Measures, _ b: Measures, _ samples: [Int]) -> Group {
    let rows: [Row] = Measures.Name.allCases.compactMap { name in
      guard let allA = a.values[name], let allB = b.values[name] else { return nil }
      let (x, y) = (samples.map { allA[$0] }, samples.map { allB[$0] })
      let differences = zip(x, y).map { $1 - $0 }
      return Row(
        measure: name, standard: Summary(x), robust: Summary(y),
        meanDifference: differences.reduce(0, +) / Double(differences.count),
        shareLower: Double(differences.lazy.filter { $0 < 0 }.count) / Double(differences.count),
        rankCorrelation: spearman(x, y))
    }
    return Group(count: samples.count, measures: rows)
  }
}

/// Spearman's rank correlation: Pearson's of the ranks, ties sharing their average rank. Nil when one side is
/// constant.
func spearman(_ x: [Double], _ y: [Double]) -> Double? {
  let (a, b) = (ranks(x), ranks(y))
  let mean = Double(x.count + 1) / 2
  var (ab, aa, bb) = (0.0, 0.0, 0.0)
  for (p, q) in zip(a, b) {
    ab += (p - mean) * (q - mean)
    aa += (p - mean) * (p - mean)
    bb += (q - mean) * (q - mean)
  }
  return aa > 0 && bb > 0 ? ab / (aa * bb).squareRoot() : nil
}

/// Ranks from 1, ties sharing their average.
func ranks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var result = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start
    while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
    for i in start...end { result[order[i]] = Double(start + end) / 2 + 1 }
    start = end + 1
  }
  return result
}
