import Foundation
import TestSupport
import Testing
import Theory

/// Where adversarial training does not shrink the gap.
@Suite struct CounterexampleTests {
  private let outliers = [Double](repeating: 3, count: 97) + [Double](repeating: -5, count: 3)

  @Test func separableDataGiveTheRobustModelTheLargerCleanGap() {
    for (reduction, expected) in [(0, 7.60), (0.25, 9.36), (0.5, 12.41)] {
      #expect(abs(descentMargin(reduction: reduction) - expected) <= 0.005)
    }
  }

  @Test func descentFollowsItsContinuousLimit() {
    // With v = w (m - c), dv/dt = (m - c)^2 sig(-v), so that v + e^v = 1 + (m - c)^2 t.
    let v = descentMargin(margin: 2, reduction: 0.5, rate: 0.001, steps: 100_000) / 2 * 1.5
    #expect(abs((v + exp(v)) / (1 + 1.5 * 1.5 * 100) - 1) < 1e-3)
  }

  @Test func outliersMakeTheBestScaleRise() {
    #expect(abs(optimalScale(margins: outliers, reduction: 0) - 0.973) <= 0.0005)
    #expect(abs(optimalScale(margins: outliers, reduction: 1) - 1.141) <= 0.0005)
    for reduction in [0, 0.5, 1] {
      #expect(reductionCriterion(margins: outliers, reduction: reduction)! < 0)
      #expect(scaleResponse(margins: outliers, reduction: reduction)! > 0)
    }
  }

  @Test func responsesAreDerivatives() {
    var random = Seeded(2)
    for margins in [outliers, (0..<60).map { _ in Double.random(in: -1...2, using: &random) }] {
      let (c, h) = (0.2, 1e-5)
      let (above, below) = (c + h, c - h)
      let difference =
        (optimalScale(margins: margins, reduction: above) - optimalScale(margins: margins, reduction: below))
        / (2 * h)
      #expect(abs(scaleResponse(margins: margins, reduction: c)! / difference - 1) < 1e-6)
    }
    #expect(scaleResponse(margins: [1, 2], reduction: 0) == nil)
    #expect(reductionCriterion(margins: [1, -2], reduction: 0) == nil)
  }

  @Test func scalesDoNotRiseWhileAllMarginsAreBelowTheDecisiveOne() {
    #expect(abs(decisiveMargin - 1.278) <= 0.0005)
    #expect(abs(decisiveMargin / (1 + exp(-decisiveMargin)) - 1) < 1e-14)
    var random = Seeded(8)
    var (decided, open) = (0, 0)
    for _ in 0..<500 {
      let margins = (0..<20).map { _ in Double.random(in: -1...1.3, using: &random) }
      guard let response = scaleResponse(margins: margins, reduction: 0) else { continue }
      let scale = optimalScale(margins: margins)
      guard scale * margins.max()! <= decisiveMargin else {
        open += 1
        continue
      }
      decided += 1
      #expect(response <= 0)
    }
    #expect(decided > 50 && open > 50, "\(decided) and \(open) cases")
  }
}
