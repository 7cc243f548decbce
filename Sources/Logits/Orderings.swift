import Foundation
import Statistics

/// How networks order the classes below the predicted one: the information that distillation may carry. Written as JSON with
/// snake_case keys.
public struct Orderings: Sendable, Equatable, Codable {
  /// Kendall's tau of two networks' logits of the classes other than the predicted one, mean over the samples for which both
  /// predict the same class, and over pairs of networks: standard and robust of one seed.
  public let tauBetween: Double?
  /// The same for standard networks of neighbouring seeds.
  public let tauWithinStandard: Double?
  /// The same for robust networks of neighbouring seeds.
  public let tauWithinRobust: Double?
  /// The standard networks' orders, mean over seeds.
  public let standard: Kind
  /// The robust networks' orders, mean over seeds.
  public let robust: Kind

  /// The orders of networks of one kind. K classes; rows are the predicted class.
  public struct Kind: Sendable, Equatable, Codable {
    /// Entropy in nats of the distribution of the three classes after the predicted one, in order, given the predicted
    /// class: 0 if it is the same for all samples.
    public let topThreeEntropy: Double
    /// The largest value that it could have: log((K - 1)(K - 2)(K - 3)).
    public let topThreeEntropyLimit: Double
    /// The share of samples that have their class's most frequent such order.
    public let mostFrequentShare: Double
    /// Mean rank (1 is next after the predicted class) of each class, (K, K); 0 on the diagonal and in rows of classes that
    /// are never predicted. nil above 100 classes.
    public let meanRanks: [[Double]]?
    /// Mean probability of each class given the true class, (K, K); nil without labels or above 100 classes.
    public let meanProbabilities: [[Double]]?

    enum CodingKeys: String, CodingKey {
      case topThreeEntropy = "top_three_entropy"
      case topThreeEntropyLimit = "top_three_entropy_limit"
      case mostFrequentShare = "most_frequent_share"
      case meanRanks = "mean_ranks"
      case meanProbabilities = "mean_probabilities"
    }
  }

  enum CodingKeys: String, CodingKey {
    case standard, robust
    case tauBetween = "kendall_tau_between"
    case tauWithinStandard = "kendall_tau_within_standard"
    case tauWithinRobust = "kendall_tau_within_robust"
  }

  /// The most samples of a pair of networks whose orders are compared, spread evenly over the table.
  static let comparedSamples = 2000

  /// Compares tables of the same samples, one per seed and kind; nil with fewer than four classes.
  init?(standard: [LogitTable], robust: [LogitTable]) {
    guard standard[0].classCount >= 4 else { return nil }
    func neighbours(_ tables: [LogitTable]) -> Double? {
      average(zip(tables, tables.dropFirst()).map { Self.tau($0, $1) })
    }
    tauBetween = average(zip(standard, robust).map { Self.tau($0, $1) })
    tauWithinStandard = neighbours(standard)
    tauWithinRobust = neighbours(robust)
    self.standard = Kind(standard)
    self.robust = Kind(robust)
  }

  private static func tau(_ a: LogitTable, _ b: LogitTable) -> Double? {
    let step = max(1, a.sampleCount / comparedSamples)
    return average(
      stride(from: 0, to: a.sampleCount, by: step).map { row in
        let predicted = a.withRow(row, \.predicted)
        guard b.withRow(row, \.predicted) == predicted else { return nil }
        func others(_ table: LogitTable) -> [Double] {
          var values = table.row(row).map(Double.init)
          values.remove(at: predicted)
          return values
        }
        return kendallTau(others(a), others(b))
      })
  }
}

extension Orderings.Kind {
  /// Means over the tables.
  init(_ tables: [LogitTable]) {
    let classes = tables[0].classCount
    let concentrations = tables.map(Self.topThree)
    topThreeEntropy = mean(concentrations.map(\.entropy))
    mostFrequentShare = mean(concentrations.map(\.share))
    topThreeEntropyLimit = log(Double((classes - 1) * (classes - 2) * (classes - 3)))
    let isSmall = classes <= 100
    meanRanks = isSmall ? meanRows(tables.map(Self.ranks)) : nil
    let probabilities = isSmall ? tables.compactMap(Self.probabilities) : []
    meanProbabilities = probabilities.isEmpty ? nil : meanRows(probabilities)
  }

  /// How concentrated the next three classes are, given the predicted one.
  private static func topThree(_ table: LogitTable) -> (entropy: Double, share: Double) {
    var counts = [[[Int]: Int]](repeating: [:], count: table.classCount)
    for row in 0..<table.sampleCount {
      let order = table.withRow(row) { $0.order(first: 4) }
      counts[order[0]][Array(order[1...]), default: 0] += 1
    }
    var (entropy, frequent) = (0.0, 0)
    for orders in counts where !orders.isEmpty {
      let total = Double(orders.values.reduce(0, +))
      // Sorted, because a dictionary's order and with it the sum's rounding differ from run to run.
      for count in orders.values.sorted() { entropy -= Double(count) * log(Double(count) / total) }
      frequent += orders.values.max()!
    }
    return (entropy / Double(table.sampleCount), Double(frequent) / Double(table.sampleCount))
  }

  private static func ranks(_ table: LogitTable) -> [[Double]] {
    let classes = table.classCount
    var sums = [[Double]](repeating: [Double](repeating: 0, count: classes), count: classes)
    var counts = [Double](repeating: 0, count: classes)
    for row in 0..<table.sampleCount {
      let order = table.withRow(row) { $0.order(first: classes) }
      counts[order[0]] += 1
      for (rank, other) in order.enumerated() { sums[order[0]][other] += Double(rank) }
    }
    return zip(sums, counts).map { sums, count in sums.map { count > 0 ? $0 / count : 0 } }
  }

  private static func probabilities(_ table: LogitTable) -> [[Double]]? {
    guard let labels = table.labels else { return nil }
    let classes = table.classCount
    var sums = [[Double]](repeating: [Double](repeating: 0, count: classes), count: classes)
    var counts = [Double](repeating: 0, count: classes)
    for row in 0..<table.sampleCount {
      let label = Int(labels[row])
      counts[label] += 1
      table.withRow(row) { logits in
        let softmax = logits.softmax
        for (other, value) in logits.values.enumerated() { sums[label][other] += softmax.probability(value) }
      }
    }
    return zip(sums, counts).map { sums, count in sums.map { count > 0 ? $0 / count : 0 } }
  }
}

/// The mean of the values there are; nil of none.
private func average(_ values: [Double?]) -> Double? {
  let present = values.compactMap { $0 }
  return present.isEmpty ? nil : mean(present)
}

/// The mean of each row over the matrices in which it is not 0.
private func meanRows(_ matrices: [[[Double]]]) -> [[Double]] {
  matrices[0].indices.map { i in
    let rows = matrices.map { $0[i] }.filter { $0.contains { $0 != 0 } }
    return matrices[0][i].indices.map { j in rows.isEmpty ? 0 : mean(rows.map { $0[j] }) }
  }
}
