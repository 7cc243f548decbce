import Foundation

/// A number that describes the logits z of one sample. p = softmax(z).
public enum Measure: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
  /// max z. Depends on the gauge: adding a constant to z changes it and not p.
  case maxLogit = "max_logit"
  /// max z - mean z.
  case centredMax = "centred_max"
  /// The largest minus the second largest logit.
  case logitGap = "logit_gap"
  /// max p.
  case confidence
  /// - sum p log p, in nats.
  case entropy
  /// z of the true class minus the largest other logit; negative if the sample is misclassified.
  case margin
}

/// The measures of each sample of a table, in Double.
public struct Measures: Sendable {
  /// See ``Measure/maxLogit``; (N).
  public let maxLogit: [Double]
  /// See ``Measure/centredMax``; (N).
  public let centredMax: [Double]
  /// See ``Measure/logitGap``; (N).
  public let logitGap: [Double]
  /// See ``Measure/confidence``; (N).
  public let confidence: [Double]
  /// See ``Measure/entropy``; (N).
  public let entropy: [Double]
  /// See ``Measure/margin``; (N), or nil without labels.
  public let margin: [Double]?
  /// The class of the largest logit, the lowest of equal ones; (N).
  public let predicted: [Int32]
  /// Whether the predicted class is the true one; (N), or nil without labels.
  public let isCorrect: [Bool]?

  /// Measures every sample of `table`.
  public init(of table: LogitTable) {
    let rows = (0..<table.sampleCount).map { LogitRow(table.row($0)) }
    maxLogit = rows.map(\.maximum)
    centredMax = rows.map(\.centredMax)
    logitGap = rows.map(\.gap)
    confidence = rows.map(\.confidence)
    entropy = rows.map(\.entropy)
    margin = table.labels.map { zip(rows, $0).map { $0.margin(to: Int($1)) } }
    predicted = rows.map { Int32($0.predicted) }
    isCorrect = table.labels.map { zip(rows, $0).map { $0.predicted == Int($1) } }
  }

  /// All values of `measure`, (N); nil for the margin without labels.
  public func values(_ measure: Measure) -> [Double]? {
    switch measure {
    case .maxLogit: maxLogit
    case .centredMax: centredMax
    case .logitGap: logitGap
    case .confidence: confidence
    case .entropy: entropy
    case .margin: margin
    }
  }
}

extension LogitTable {
  /// The measures of every sample.
  public func measures() -> Measures { Measures(of: self) }
}

/// The logits of one sample in Double.
struct LogitRow {
  let values: [Double]
  /// The class of the largest logit, the lowest of equal ones.
  let predicted: Int

  init(_ row: ArraySlice<Float>) {
    let values = row.map(Double.init)
    self.values = values
    predicted = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
  }

  var maximum: Double { values[predicted] }
  var centredMax: Double { maximum - values.reduce(0, +) / Double(values.count) }
  var gap: Double { margin(to: predicted) }
  var confidence: Double { 1 / (1 + others) }

  /// The sum of exp(z - max z) over all classes but the predicted one, whose term is 1: kept apart so that the
  /// entropy of a very confident sample is not rounded away.
  private var others: Double {
    values.indices.reduce(0) { $1 == predicted ? $0 : $0 + exp(values[$1] - maximum) }
  }

  /// With log p = z - max z - log(1 + others); a probability of 0 adds 0.
  var entropy: Double {
    let others = others
    let mean = values.reduce(0) { $0 + exp($1 - maximum) * ($1 - maximum) } / (1 + others)
    // Rounding must not make it negative.
    return max(0, log1p(others) - mean)
  }

  func margin(to label: Int) -> Double {
    values[label] - values.indices.lazy.filter { $0 != label }.map { values[$0] }.max()!
  }
}
