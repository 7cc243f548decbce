/// The measures of each sample of a table, in Double.
public struct Measures: Sendable {
  private let all: [Measure: [Double]]
  /// The class of the largest logit, the lowest of equal ones; (N).
  public let predicted: [Int32]
  /// Whether the predicted class is the true one; (N), or nil without labels.
  public let isCorrect: [Bool]?

  /// Measures every sample of `table`.
  public init(of table: LogitTable) {
    let samples = AlignedSamples(table)
    // Reading a table in memory throws nothing.
    all = Measure.allCases.reduce(into: [:]) { $0[$1] = try! samples.values($1) }
    predicted = try! samples.map(0) { logits, _, _ in Int32(logits.predicted) }
    isCorrect = try! samples.isCorrect()
  }

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
