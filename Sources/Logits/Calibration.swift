import Statistics

/// How far a network's confidence is its accuracy. Written as JSON with snake_case keys.
public struct Calibration: Sendable, Equatable, Codable {
  /// Bins of equally many samples, sorted by confidence.
  public let bins: [ReliabilityBin]
  /// Expected calibration error over ``bins``, in [0, 1].
  public let adaptiveError: Double
  /// The same over 15 bins of equal width.
  public let equalWidthError: Double
  /// The temperature T that minimises the mean negative log-likelihood of softmax(z / T); nil if there is none in (0, inf), as
  /// for a network without errors.
  public let temperature: Double?

  enum CodingKeys: String, CodingKey {
    case bins, temperature
    case adaptiveError = "ece_adaptive"
    case equalWidthError = "ece_equal_width"
  }

  /// Measures a table; nil without labels.
  /// - Parameter held: a table of other samples on which the temperature is fitted, as it should be; by default the same.
  public init?(of table: LogitTable, fittingOn held: LogitTable? = nil) {
    self.init(of: MeasuredTable(table), fittingOn: held)
  }

  init?(of measured: MeasuredTable, fittingOn held: LogitTable? = nil) {
    let (table, measures) = (measured.table, measured.measures)
    guard let correct = measures.isCorrect else { return nil }
    bins = reliability(confidence: measures.confidence, correct: correct, binning: .equalMass(15))
    adaptiveError = expectedCalibrationError(bins)
    equalWidthError = expectedCalibrationError(
      reliability(confidence: measures.confidence, correct: correct, binning: .equalWidth(15)))
    let fitted = held ?? table
    temperature = fitted.labels.flatMap {
      fittedTemperature(logits: fitted.logits, classCount: fitted.classCount, labels: $0)
    }
  }
}

extension LogitTable {
  /// The table with all logits (and the gaps' gradients) divided by a temperature above 0.
  public func divided(by temperature: Double) -> LogitTable {
    precondition(temperature > 0, "A temperature must be above 0.")
    func scaled(_ values: [Float]) -> [Float] { values.map { Float(Double($0) / temperature) } }
    return LogitTable(
      unchecked: scaled(logits), classCount: classCount, labels: labels, sampleIDs: sampleIDs,
      gapGradientNorms: gapGradientNorms.map(scaled), provenance: provenance)
  }
}
