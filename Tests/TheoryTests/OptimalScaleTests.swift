import Foundation
import Randomness
import TestSupport
import Testing
import Theory

@Suite struct OptimalScaleTests {
  /// Logits of `count` samples of 4 classes whose labels are the largest logit more often than not.
  private func table(_ seed: UInt64, count: Int = 300) -> (logits: [Float], labels: [Int32]) {
    var random = Seeded(seed)
    let labels = random.labels(count, classes: 4)
    let logits = (0..<count * 4).map { i in
      Float.random(in: -3...3, using: &random) + (Int(labels[i / 4]) == i % 4 ? 1.5 : 0)
    }
    return (logits, labels)
  }

  /// Mean cross-entropy and mean entropy of scaled logits, from their definitions.
  private func lossAndEntropy(_ table: (logits: [Float], labels: [Int32]), _ scale: Double) -> (
    Double, Double
  ) {
    var (loss, entropy) = (0.0, 0.0)
    for (row, label) in table.labels.enumerated() {
      let exponentials = table.logits[row * 4..<row * 4 + 4].map { exp(scale * Double($0)) }
      let p = exponentials.map { $0 / exponentials.reduce(0, +) }
      loss -= log(p[Int(label)])
      entropy -= p.reduce(0) { $0 + $1 * log($1) }
    }
    return (loss / Double(table.labels.count), entropy / Double(table.labels.count))
  }

  @Test(arguments: [0, 0.3, 1, 4] as [Double]) func lossAndSlopeFollowTheirDefinitions(scale: Double) {
    let table = table(1)
    let function = ScaleLoss(logits: table.logits, classCount: 4, labels: table.labels)
    let (loss, entropy) = lossAndEntropy(table, scale)
    #expect(abs(function.value(at: scale) - loss) < 1e-12)
    #expect(abs(scale * function.slope(at: scale) - (loss - entropy)) < 1e-12, "s L'(s) is mean CE - H")
    let h = 1e-5
    let slope = (function.value(at: scale + h) - function.value(at: scale - h)) / (2 * h)
    #expect(abs(function.slope(at: scale) - slope) < 1e-8)
    let curvature = (function.slope(at: scale + h) - function.slope(at: scale - h)) / (2 * h)
    #expect(abs(function.curvature(at: scale) - curvature) < 1e-8)
  }

  @Test func lossAndEntropyAgreeAtTheOptimum() {
    let table = table(2)
    let scale = optimalScale(logits: table.logits, classCount: 4, labels: table.labels)
    #expect(scale > 0.1 && scale < 10)
    let (loss, entropy) = lossAndEntropy(table, scale)
    #expect(abs(loss - entropy) < 1e-12)
    for other in [0.9, 0.999, 1.001, 1.1] { #expect(lossAndEntropy(table, other * scale).0 > loss) }
  }

  @Test func scaledLogitsHaveTheInverseScale() {
    let table = table(3)
    let scale = optimalScale(logits: table.logits, classCount: 4, labels: table.labels)
    for factor in [Float(0x1p-40), 0.25, 64, 0x1p40] {
      let scaled = table.logits.map { $0 * factor }
      let other = optimalScale(logits: scaled, classCount: 4, labels: table.labels)
      #expect(abs(other * Double(factor) / scale - 1) < 1e-10)
    }
  }

  @Test func aLossAboveChanceMeansAScaleBelowOne() {
    let table = table(4)
    let logits = table.logits.map { $0 * 8 }
    let function = ScaleLoss(logits: logits, classCount: 4, labels: table.labels)
    #expect(function.value(at: 1) > log(4), "the case is one of over-confidence")
    #expect(function.minimiser < 1 && function.minimiser > 0)
    #expect(abs(function.value(at: 0) - log(4)) < 1e-12)
  }

  @Test func optimaAtTheEndsAreFound() {
    #expect(optimalScale(logits: [3, 1, 0, 2], classCount: 2, labels: [0, 1]) == .infinity)
    #expect(optimalScale(logits: [3, 1, 2, 0], classCount: 2, labels: [0, 1]) == 0)
    #expect(optimalScale(logits: [1, 1, 1], classCount: 3, labels: [2]) == 0)
    #expect(optimalScale(margins: [0.5, 0.25]) == .infinity)
    #expect(optimalScale(margins: [0.5, 0.25], reduction: 0.25) == .infinity)
    #expect(optimalScale(margins: [1, -2]) == 0)
    #expect(optimalScale(margins: [1, 2], reduction: 1.5) == 0)
    // One slightly wrong sample: 6 e^(-2 s) = 1e-9 / 2 up to terms of e^(-4 s).
    #expect(abs(optimalScale(margins: [2, 2, 2, -1e-9]) - log(1.2e10) / 2) < 1e-8)
  }

  @Test func tinyLossesAreNotRoundedToZero() {
    let function = ScaleLoss(margins: [50])
    #expect(abs(function.value(at: 1) / exp(-50) - 1) < 1e-12)
    #expect(abs(function.slope(at: 1) / (-50 * exp(-50)) - 1) < 1e-12)
  }

  @Test func marginsAreLogitsOfTwoClasses() {
    let margins = [3, 1.5, -1, 0.25]
    let logits: [Float] = [3, 0, 0.5, 2, 1, 2, 0, 0.25]
    let binary = ScaleLoss(margins: margins)
    let table = ScaleLoss(logits: logits, classCount: 2, labels: [0, 1, 0, 1])
    #expect(abs(binary.value(at: 0.7) - table.value(at: 0.7)) < 1e-15)
    #expect(abs(binary.minimiser - table.minimiser) < 1e-12)
    let value = margins.reduce(0) { $0 + log(1 + exp(-0.7 * ($1 - 0.5))) } / 4
    #expect(abs(ScaleLoss(margins: margins, reduction: 0.5).value(at: 0.7) - value) < 1e-15)
  }

  @Test(arguments: [(1, 0.8, 0), (1, 0.8, 0.4), (3, 2, 1), (0.5, 1, 0.49)] as [(Double, Double, Double)])
  func normalMarginsHaveTheDerivedScale(mean: Double, deviation: Double, reduction: Double) {
    let scale = optimalScale(meanMargin: mean, deviation: deviation, reduction: reduction)
    // The slope of the expected loss, by the trapezoid rule over ten deviations.
    let slope = (-10_000...10_000).reduce(0.0) { sum, i in
      let t = Double(i) / 1000
      let u = mean - reduction + deviation * t
      return sum - exp(-t * t / 2) * u / (1 + exp(scale * u))
    }
    #expect(abs(slope) / 10_000 < 1e-12)
  }

  @Test func sampledNormalMarginsHaveThatScaleToo() {
    let stream = RandomStream(seed: 1, purpose: .test)
    let margins = (0..<100_000).map { 2 + 1.5 * stream.normal(at: $0) }
    for reduction in [0, 0.5, 1] {
      let expected = optimalScale(meanMargin: 2, deviation: 1.5, reduction: reduction)
      // Three times the standard error of about 1 % that these sizes have.
      #expect(abs(optimalScale(margins: margins, reduction: reduction) / expected - 1) < 0.03)
    }
    #expect(optimalScale(meanMargin: 2, deviation: 1.5, reduction: 2) == 0)
    #expect(optimalScale(meanMargin: 2, deviation: 1.5, reduction: 3) == 0)
    #expect(optimalScale(margins: margins, reduction: 2.1) == 0)
  }
}
