import Foundation

/// What is measured of each sample's logits, in Double.
public struct Measures: Sendable {
  /// Names and order of the measures, as in files and tables.
  public enum Name: String, CaseIterable, Codable, Sendable {
    /// The largest logit. It depends on a constant that softmax ignores; compare `centeredMax` and `gap`.
    case maxLogit = "max_logit"
    /// The largest logit minus the mean of all.
    case centeredMax = "centered_max"
    /// The largest logit minus the next largest.
    case gap = "logit_gap"
    /// The largest probability.
    case confidence
    /// Entropy of the probabilities in nats.
    case entropy
    /// The true class's logit minus the largest other one; only with labels.
    case margin
  }

  /// Per measure one value per sample.
  public let values: [Name: [Double]]
  /// The class with the largest logit of each sample, the lowest index on ties.
  public let predictions: [Int]
  /// Whether the prediction is the label, or nil without labels.
  public let correct: [Bool]?

  /// Measures every sample of a table.
  public init(of table: LogitTable) {
    var values: [Name: [Double]] = [:]
    var predictions: [Int] = []
    predictions.reserveCapacity(table.count)
    for row in 0..<table.count {
      let logits = table[row].map { Double($0) }
      let sample = Sample(logits)
      predictions.append(sample.prediction)
      values[.maxLogit, default: []].append(sample.max)
      values[.centeredMax, default: []].append(sample.max - logits.reduce(0, +) / Double(logits.count))
      values[.gap, default: []].append(sample.max - sample.second)
      values[.confidence, default: []].append(sample.confidence)
      values[.entropy, default: []].append(sample.entropy)
      if let labels = table.labels {
        let label = Int(labels[row])
        let other = label == sample.prediction ? sample.second : sample.max
        values[.margin, default: []].append(logits[label] - other)
      }
    }
    self.values = values
    self.predictions = predictions
    correct = table.labels.map { labels in zip(predictions, labels).map { $0 == Int($1) } }
  }

  /// Share of samples that are predicted right, or nil without labels.
  public var accuracy: Double? {
    correct.map { Double($0.lazy.filter { $0 }.count) / Double($0.count) }
  }

  private struct Sample {
    let prediction: Int
    let max: Double
    let second: Double
    let confidence: Double
    let entropy: Double

    init(_ logits: [Double]) {
      var best = 0
      for i in logits.indices where logits[i] > logits[best] { best = i }
      prediction = best
      max = logits[best]
      second = logits.indices.lazy.filter { $0 != best }.map { logits[$0] }.max()!
      let shifted = logits.map { [max] in $0 - max }
      let exponentials = shifted.map { exp($0) }
      let sum = exponentials.reduce(0, +)
      confidence = 1 / sum
      entropy = log(sum) - zip(shifted, exponentials).reduce(0) { $0 + $1.0 * $1.1 } / sum
    }
  }
}

/// Mean, spread and quantiles of one measure.
public struct Summary: Codable, Sendable, Equatable {
  /// Number of samples.
  public let count: Int
  public let mean: Double
  /// With n - 1 in the denominator; 0 for one sample.
  public let standardDeviation: Double
  /// Quantiles by percent (5, 10, 25, 50, 75, 90, 95), linear between samples as NumPy's default.
  public let quantiles: [String: Double]

  enum CodingKeys: String, CodingKey {
    case count, mean, quantiles
    case standardDeviation = "standard_deviation"
  }

  /// Percents of the quantiles.
  public static let percents = [5, 10, 25, 50, 75, 90, 95]

  /// Summarises at least one value.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty, "no values to summarise")
    count = values.count
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    standardDeviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    let sorted = values.sorted()
    quantiles = Dictionary(
      uniqueKeysWithValues: Self.percents.map { ("\($0)", Self.quantile(sorted, Double($0) / 100)) })
  }

  /// A quantile of sorted values.
  static func quantile(_ sorted: [Double], _ q: Double) -> Double {
    let position = q * Double(sorted.count - 1)
    let low = Int(position.rounded(.down))
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (position - Double(low))
  }
}
