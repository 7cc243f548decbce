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
    // Reading tables in memory throws nothing.
    try! self.init(of: AlignedSamples(table), fittingOn: held.map { AlignedSamples($0) })
  }

  init?(of samples: AlignedSamples, fittingOn held: AlignedSamples? = nil) throws {
    guard let correct = try samples.isCorrect() else { return nil }
    let confidence = try samples.values(.confidence)!
    bins = reliability(confidence: confidence, correct: correct, binning: .equalMass(15))
    adaptiveError = expectedCalibrationError(bins)
    equalWidthError = expectedCalibrationError(
      reliability(confidence: confidence, correct: correct, binning: .equalWidth(15)))
    temperature = try (held ?? samples).fittedTemperature()
  }
}

extension AlignedSamples {
  /// The temperature of the smallest mean negative log-likelihood; nil without labels or where there is none.
  fileprivate func fittedTemperature() throws -> Double? {
    guard let labels else { return nil }
    let slope = try sum { z, place in SIMD2(z.maximum - Double(z.values[Int(labels[place])]), 0) }
    return try Statistics.fittedTemperature(slopeAtInfinity: slope[0]) { scale in
      let sums = try sum { z, place in
        lossDerivatives(z.values, largest: z.predicted, label: Int(labels[place]), scale: scale)
      }
      return (sums[0], sums[1])
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
