import Foundation

/// A number that describes the logits z of one sample. p = softmax(z); z(1) >= z(2) >= ... are the logits in order.
public enum Measure: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
  /// z(1). Depends on the gauge: adding a constant to z changes it and not p.
  case maxLogit = "max_logit"
  /// z(1) - mean z.
  case centredMax = "centred_max"
  /// z(1) - z(2).
  case logitGap = "logit_gap"
  /// z(1) - z(3); with two classes there is none.
  case thirdGap = "logit_gap_3"
  /// max p.
  case confidence
  /// - sum p log p, in nats.
  case entropy
  /// z of the true class minus the largest other logit; negative if the sample is misclassified.
  case margin
  /// - log p of the true class, in nats.
  case crossEntropy = "cross_entropy"
  /// Cross-entropy minus entropy. Its mean is 0 where the loss cannot fall by scaling the logits.
  case excess = "cross_entropy_minus_entropy"
  /// The L1 norm of the gap's gradient by the image, if the table has it: what an Linf attack of radius 1 takes from
  /// the gap, to first order.
  case gapGradient = "gap_gradient_norm"
  /// The gap over that norm, in pixel units, at most 1: the radius at which the prediction changes, to first order.
  case localRadius = "local_radius"

  /// What people call it, with its unit.
  public var title: String {
    switch self {
    case .maxLogit: "max logit"
    case .centredMax: "max logit minus mean"
    case .logitGap: "logit gap"
    case .thirdGap: "gap to the third logit"
    case .confidence: "confidence"
    case .entropy: "entropy (nats)"
    case .margin: "margin to the true class"
    case .crossEntropy: "cross-entropy (nats)"
    case .excess: "cross-entropy minus entropy (nats)"
    case .gapGradient: "L1 norm of the gap's gradient"
    case .localRadius: "gap over that norm"
    }
  }
}

/// The measures of each sample of a table, in Double.
public struct Measures: Sendable {
  private let all: [Measure: [Double]]
  /// The class of the largest logit, the lowest of equal ones; (N).
  public let predicted: [Int32]
  /// Whether the predicted class is the true one; (N), or nil without labels.
  public let isCorrect: [Bool]?
  /// Each sample's confidence less 1, (N): confidences that round to 1 still differ.
  let certainties: [Double]

  /// Measures every sample of `table`.
  public init(of table: LogitTable) {
    let rows = (0..<table.sampleCount).map { LogitRow(table.row($0)) }
    var all: [Measure: [Double]] = [
      .maxLogit: rows.map(\.maximum), .centredMax: rows.map(\.centredMax), .logitGap: rows.map(\.gap),
      .confidence: rows.map(\.confidence), .entropy: rows.map(\.entropy),
    ]
    if table.classCount > 2 { all[.thirdGap] = rows.map { $0.gap(to: 3) } }
    if let labels = table.labels {
      all[.margin] = zip(rows, labels).map { $0.margin(to: Int($1)) }
      all[.crossEntropy] = zip(rows, labels).map { $0.crossEntropy(Int($1)) }
      all[.excess] = zip(rows, labels).map { $0.crossEntropy(Int($1)) - $0.entropy }
    }
    if let norms = table.gapGradientNorms {
      all[.gapGradient] = norms.map(Double.init)
      all[.localRadius] = zip(rows, norms).map { $0.gap < Double($1) ? $0.gap / Double($1) : 1 }
    }
    self.all = all
    predicted = rows.map { Int32($0.predicted) }
    isCorrect = table.labels.map { zip(rows, $0).map { $0.predicted == Int($1) } }
    certainties = rows.map { -$0.doubt }
  }

  private init(_ all: Measures, rows: [Int]) {
    self.all = all.all.mapValues { values in rows.map { values[$0] } }
    predicted = rows.map { all.predicted[$0] }
    isCorrect = all.isCorrect.map { correct in rows.map { correct[$0] } }
    certainties = rows.map { all.certainties[$0] }
  }

  /// The measures of the samples in the given rows.
  func selecting(_ rows: [Int]) -> Measures { Measures(self, rows: rows) }

  /// All values of `measure`, (N); nil if the table lacks what it needs.
  public func values(_ measure: Measure) -> [Double]? { all[measure] }

  /// See ``Measure/maxLogit``; (N).
  public var maxLogit: [Double] { all[.maxLogit]! }
  /// See ``Measure/centredMax``; (N).
  public var centredMax: [Double] { all[.centredMax]! }
  /// See ``Measure/logitGap``; (N).
  public var logitGap: [Double] { all[.logitGap]! }
  /// See ``Measure/confidence``; (N).
  public var confidence: [Double] { all[.confidence]! }
  /// See ``Measure/entropy``; (N).
  public var entropy: [Double] { all[.entropy]! }
  /// See ``Measure/margin``; (N), or nil without labels.
  public var margin: [Double]? { all[.margin] }
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
  /// The sum of exp(z - max z) over all classes but the predicted one, whose term is 1: kept apart so that the entropy of
  /// a very confident sample is not rounded away.
  private let others: Double

  init(_ row: ArraySlice<Float>) {
    let values = row.map(Double.init)
    let predicted = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
    self.values = values
    self.predicted = predicted
    others = values.indices.reduce(0) { $1 == predicted ? $0 : $0 + exp(values[$1] - values[predicted]) }
  }

  var maximum: Double { values[predicted] }
  var centredMax: Double { maximum - values.reduce(0, +) / Double(values.count) }
  var gap: Double { margin(to: predicted) }
  var confidence: Double { 1 / (1 + others) }

  /// 1 - confidence, without cancellation.
  var doubt: Double { others / (1 + others) }

  /// With log p = z - max z - log(1 + others); a probability of 0 adds 0.
  var entropy: Double {
    let mean = values.reduce(0) { $0 + exp($1 - maximum) * ($1 - maximum) } / (1 + others)
    // Rounding must not make it negative.
    return max(0, log1p(others) - mean)
  }

  func margin(to label: Int) -> Double {
    values[label] - values.indices.lazy.filter { $0 != label }.map { values[$0] }.max()!
  }

  /// The largest logit minus the k-th largest.
  func gap(to k: Int) -> Double { maximum - values.sorted(by: >)[k - 1] }

  func crossEntropy(_ label: Int) -> Double { log1p(others) + (maximum - values[label]) }
}
