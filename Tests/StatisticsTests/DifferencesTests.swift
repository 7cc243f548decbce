import Foundation
import Statistics
import Testing

@Suite struct DifferencesTests {
  private func values(_ name: String) throws -> [Double] { try #require(Reference.shared.series[name]) }

  @Test(arguments: Reference.shared.differences)
  func testsAgreeWithSciPyAndStatsmodels(_ expected: Reference.Differences) throws {
    let d = try values(expected.series)
    expectTest(pairedTTest(d), expected.t)
    expectTest(wilcoxonSignedRank(d), expected.wilcoxon)
    expectOptional(cohenDz(d), expected.dz)
    for (level, ends) in [(0.95, expected.interval), (0.8, expected.interval_80)] {
      let interval = tInterval(d, level: level)
      expectOptional(interval?.lower, ends?[0])
      expectOptional(interval?.upper, ends?[1])
    }
    for case let row in expected.equivalence {
      expectOptional(equivalenceTest(d, margin: row.margin), row.p)
    }
    if let p = expected.sign_flip { expectProbability(signFlipTest(d), p) }
  }

  @Test func thePValuesOfTheFixtureReachTheFarTails() {
    let smallest = Reference.shared.differences.compactMap { $0.t?[1] }.min()
    #expect(smallest.map { 0 < $0 && $0 < 1e-190 } == true)
  }

  @Test func fewSeedsHaveALargestPossibleEvidence() {
    #expect(signFlipTest([1, 2, 3, 4, 5]) == 0.0625)
    #expect(signFlipTest([1, 2, 3, 4, 5, 6]) == 0.03125)
    #expect(signFlipTest([-0.1, -0.2, -0.3, -0.1, -0.2, -0.3]) == 0.03125)
  }

  @Test func signFlipsCountSumsThatDifferByRoundingAsEqual() {
    // 0.1 + 0.2 - 0.3 is not 0 in Double: the given signs are as central as can be.
    #expect(signFlipTest([0.1, 0.2, -0.3]) == 1)
    // |sum| = 0.2 is reached by all flips but the two whose sum is 0.
    #expect(signFlipTest([0.3, 0.1, -0.2]) == 0.75)
  }

  @Test func manyFlipsComeNearTheTTest() throws {
    let d = try values("d_fifty")
    let p = try #require(pairedTTest(d)).pValue
    #expect(abs(signFlipTest(d) - p) < 5 * (p * (1 - p) / 20_000).squareRoot() + 0.01)
    #expect(signFlipTest(d) == signFlipTest(d))
    #expect(signFlipTest(d, seed: 1) != signFlipTest(d, seed: 2))
    #expect(signFlipTest(try values("d_huge_effect")) == 1 / 20_000)
  }

  @Test func changingSignsKeepsTwoSidedPValues() throws {
    for name in ["d_five", "d_ties_zeros", "d_thirteen_ties", "d_twenty", "d_fifty_one"] {
      let d = try values(name)
      let opposite = d.map { -$0 }
      #expect(pairedTTest(d)?.pValue == pairedTTest(opposite)?.pValue)
      #expect(wilcoxonSignedRank(d) == wilcoxonSignedRank(opposite))
      #expect(signFlipTest(d) == signFlipTest(opposite))
      #expect(equivalenceTest(d, margin: 0.5) == equivalenceTest(opposite, margin: 0.5))
      #expect(try #require(cohenDz(d)) == -(try #require(cohenDz(opposite))))
    }
  }

  @Test func scalingKeepsPValues() throws {
    let d = try values("d_twenty")
    let scaled = d.map { 1024 * $0 }
    #expect(pairedTTest(d) == pairedTTest(scaled))
    #expect(wilcoxonSignedRank(d) == wilcoxonSignedRank(scaled))
    #expect(signFlipTest(d) == signFlipTest(scaled))
    #expect(equivalenceTest(d, margin: 1) == equivalenceTest(scaled, margin: 1024))
  }

  @Test func aWiderMarginIsEasierToKeep() throws {
    let d = try values("d_twenty")
    let pValues = try [0, 0.3, 0.6, 1, 2].map { try #require(equivalenceTest(d, margin: $0)) }
    #expect(pValues == pValues.sorted(by: >))
    #expect(pValues[0] >= 0.5)
  }

  @Test func aHigherLevelGivesAWiderIntervalAroundTheMean() throws {
    let d = try values("d_five")
    let (narrow, wide) = (try #require(tInterval(d, level: 0.5)), try #require(tInterval(d, level: 0.99)))
    #expect(wide.lower < narrow.lower && narrow.upper < wide.upper)
    expectClose((wide.lower + wide.upper) / 2, d.reduce(0, +) / 5)
  }

  @Test func fewOrEqualValuesHaveNoSpread() {
    for d in [[], [3], [0.1, 0.1, 0.1]] {
      #expect(pairedTTest(d) == nil)
      #expect(tInterval(d) == nil)
      #expect(equivalenceTest(d, margin: 1) == nil)
      #expect(cohenDz(d) == nil)
    }
    #expect(wilcoxonSignedRank([]) == nil)
    #expect(wilcoxonSignedRank([0, 0]) == nil)
    #expect(signFlipTest([]) == 1)
    #expect(signFlipTest([7]) == 1)
  }

  @Test func resultsAreWrittenWithTheirKeys() throws {
    let text = String(
      decoding: try JSONEncoder().encode(TestResult(statistic: 2, pValue: 0.5)), as: UTF8.self)
    #expect(text.contains("\"statistic\":2") && text.contains("\"p_value\":0.5"))
  }
}
