import Foundation
import Statistics
import Testing

@Suite struct CalibrationTests {
  @Test(arguments: Reference.shared.calibration)
  func binsAgreeWithPlainPython(_ expected: Reference.Calibration) {
    for row in expected.binnings {
      let binning: Binning = row.kind == "equal_mass" ? .equalMass(row.count) : .equalWidth(row.count)
      let bins = reliability(
        confidence: expected.confidence, correct: expected.correct.map { $0 == 1 }, binning: binning)
      #expect(bins.map { [$0.lower, $0.upper, Double($0.count)] } == row.bins.map { Array($0[..<3]) })
      for (bin, numbers) in zip(bins, row.bins) {
        expectClose(bin.confidence, numbers[3])
        expectClose(bin.accuracy, numbers[4])
      }
      expectClose(expectedCalibrationError(bins), row.ece)
    }
  }

  @Test func theOrderOfPredictionsDoesNotMatter() throws {
    let row = try #require(Reference.shared.calibration.first { $0.name == "tied" })
    let correct = row.correct.map { $0 == 1 }
    for binning in [Binning.equalWidth(10), .equalMass(10)] {
      let bins = reliability(confidence: row.confidence, correct: correct, binning: binning)
      let reversed = reliability(
        confidence: row.confidence.reversed(), correct: correct.reversed(), binning: binning)
      #expect(bins == reversed)
      #expect(bins.reduce(0) { $0 + $1.count } == row.confidence.count)
    }
  }

  @Test func certainPredictionsAreOffByTheirErrors() {
    let correct = [true, false, true, true]
    for binning in [Binning.equalWidth(15), .equalMass(3)] {
      let bins = reliability(confidence: [1, 1, 1, 1], correct: correct, binning: binning)
      #expect(bins.count == 1)
      #expect(expectedCalibrationError(bins) == 0.25)
    }
    #expect(expectedCalibrationError([]) == 0)
  }

  @Test func binsOfEqualMassDifferByOneAtMost() {
    let confidence = (0..<103).map { Double($0 * 37 % 103) / 103 }
    let bins = reliability(
      confidence: confidence, correct: confidence.map { $0 > 0.4 }, binning: .equalMass(10))
    #expect(bins.count == 10)
    #expect(bins.allSatisfy { 10...11 ~= $0.count })
  }

  @Test(arguments: Reference.shared.temperatures)
  func temperaturesAgreeWithSciPy(_ expected: Reference.Temperature) {
    let temperature = fittedTemperature(
      logits: expected.logits, classCount: expected.classes, labels: expected.labels)
    guard let temperature, let best = expected.temperature else {
      #expect(temperature == nil && expected.temperature == nil)
      return
    }
    #expect(abs(temperature / best - 1) < 1e-6, "\(temperature), not \(best)")
  }

  @Test func scaledLogitsHaveTheScaledTemperature() throws {
    let row = try #require(Reference.shared.temperatures.first)
    func fitted(_ scale: Float) throws -> Double {
      try #require(
        fittedTemperature(
          logits: row.logits.map { $0 * scale }, classCount: row.classes, labels: row.labels))
    }
    let plain = try fitted(1)
    for scale: Float in [0.125, 64, 4096] { expectClose(try fitted(scale), plain * Double(scale)) }
  }

  @Test func noSmallStepFromTheTemperatureLowersTheLoss() throws {
    let row = try #require(Reference.shared.temperatures.first)
    let best = try #require(
      fittedTemperature(logits: row.logits, classCount: row.classes, labels: row.labels))
    func loss(_ temperature: Double) -> Double {
      row.labels.enumerated().reduce(0) { sum, sample in
        let z = (0..<row.classes).map { Double(row.logits[sample.offset * row.classes + $0]) / temperature }
        return sum + log(z.reduce(0) { $0 + exp($1) }) - z[Int(sample.element)]
      }
    }
    #expect(loss(best) < loss(best * 1.001) && loss(best) < loss(best * 0.999))
  }
}
