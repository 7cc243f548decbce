import Foundation
import Logits
import TestSupport
import Testing

@Suite struct LinearCheckTests {
  /// Five images of three classes, the last one misclassified before the attack. The attacked table is in another order.
  private func check() throws -> LinearCheck {
    let clean = try LogitTable(
      logits: [3, 1, 0, 0, 2, 1.5, 4, 0, 0, 1, 0, 0, 0, 1, 0], classCount: 3, labels: [0, 1, 0, 0, 2],
      sampleIDs: [10, 11, 12, 13, 14], gapGradientNorms: [10, 10, 10, 0, 10])
    // Margins under attack: 3 (of 4), -0.5 (of 0.5), 1 (of 2), -1 (of 1).
    let attacked = try LogitTable(
      logits: [0, 0, 1, 3, 0, 0, 0, 1.5, 2, 2, 1, 0, 0, 1, 0], classCount: 3, labels: [2, 0, 1, 0, 0],
      sampleIDs: [14, 12, 11, 10, 13])
    // Reductions in the order 14, 12, 11, 10, 13; class 2 matters for 10: 3 - 3.5 < 2 - 1.
    let ball: [Float] = [9, 9, 0, 0, 1, 1, 1, 0, 1, 0, 1, 3.5, 0, 0.5, 0]
    let reductions = LinearReductions(epsilon: 0.1, classCount: 3, ball: ball, clipped: ball.map { $0 / 2 })
    return try #require(
      LinearCheck(name: "n", clean: clean, attacked: attacked, reductions: reductions) {
        margins, reductions in
        // A stand-in that shows what it was given.
        let worst = zip(margins, reductions).map(-).min()!
        return 1 + worst...2 + worst
      })
  }

  private func shares(_ flips: LinearCheck.Flips) -> [Double] {
    [flips.both, flips.predictedOnly, flips.attackedOnly, flips.neither]
  }

  @Test func figuresAreThoseOfTheirDefinitions() throws {
    let check = try check()
    #expect(check.sampleCount == 5 && check.accuracy == 0.8)
    #expect(abs(check.margin - (2 + 0.5 + 4 + 1) / 4) < 1e-12)
    #expect(abs(check.attackedMargin - (1 - 0.5 + 3 - 1) / 4) < 1e-12)
    #expect(check.flipped == 0.5)
    // Radii 0.2, 0.05, 0.4, and 1 without a gradient.
    #expect(abs(check.localRadius.mean - 1.65 / 4) < 1e-12)

    let second = try #require(check.predictions[.runnerUp])
    // Gaps less 1, 1, 1, 0: 1, -0.5, 3, 1.
    #expect(abs(second.predictedMargin - 4.5 / 4) < 1e-12)
    #expect(shares(second.flips) == [0.25, 0, 0.25, 0.5])
    #expect(second.dropRatio.map { abs($0.mean - 1) < 1e-12 && abs($0.quantiles.p95 - 1) < 1e-12 } == true)
    #expect(second.held == 0.75 && second.loss == nil)
    #expect(second.flips.agreement == 0.75 && second.flips.predicted == 0.25)

    // Least of the reduced margins: -0.5, -0.5 (0.5 - 1), 3, 0.5.
    let ball = try #require(check.predictions[.ball])
    #expect(abs(ball.predictedMargin - 2.5 / 4) < 1e-12)
    #expect(shares(ball.flips) == [0.25, 0.25, 0.25, 0.25])
    // Drops 1, 1, 1, 2 over 2.5, 1, 1, 0.5.
    #expect(abs(try #require(ball.dropRatio).mean - (0.4 + 1 + 1 + 4) / 4) < 1e-12)
    #expect(ball.held == 0.75)
    // Ranks 1.5, 1.5, 4, 3 of the predictions; 3, 2, 4, 1 of the margins.
    #expect(abs(try #require(ball.rankCorrelation) - 1.5 / 22.5.squareRoot()) < 1e-12)

    // Half of it is taken: 1.25, 0, 3.5, 0.75.
    let clipped = try #require(check.predictions[.clipped])
    #expect(abs(clipped.predictedMargin - 5.5 / 4) < 1e-12 && clipped.held == 0)
    #expect(clipped.flips.predicted == 0)
    // Losses 0.41, 1.10, 0.09, 1.55 against 2.25...3.25, 1...2, 4.5...5.5, 1.75...2.75.
    let loss = try #require(clipped.loss)
    #expect(abs(loss.lower - 9.5 / 4) < 1e-12 && abs(loss.upper - 13.5 / 4) < 1e-12)
    #expect([loss.below, loss.within, loss.above] == [0.75, 0.25, 0])
  }

  @Test func estimatesAreMeansOverNetworks() throws {
    let check = try check()
    let study = try #require(LinearStudy(epsilon: 0.1, standard: [check, check], robust: [check]))
    let held = try #require(study.standard.estimates[.ball]?[.held])
    #expect(held.mean == 0.75 && held.interval == nil)
    #expect(study.robust.estimates[.runnerUp]?[.lossLower] == nil)
    #expect(study.robust.estimates[.clipped]?.count == LinearStudy.Figure.allCases.count)
    #expect(LinearStudy(epsilon: 0.1, standard: [], robust: [check]) == nil)
    let decoded = try JSONDecoder().decode(LinearStudy.self, from: Data(study.json().utf8))
    #expect(decoded == study)
  }

  @Test func nothingIsSaidWithoutCorrectImages() throws {
    let table = try LogitTable(logits: [1, 0], classCount: 2, labels: [1], gapGradientNorms: [1])
    let reductions = LinearReductions(epsilon: 0.1, classCount: 2, ball: [1, 0], clipped: [1, 0])
    #expect(
      LinearCheck(
        name: "n", clean: table, attacked: table, reductions: reductions, bounds: { _, _ in 0...1 }) == nil)
  }
}
