import Foundation
import Statistics
import Testing

@Suite struct TwoSamplesTests {
  private func values(_ name: String) throws -> [Double] { try #require(Reference.shared.series[name]) }

  @Test(arguments: Reference.shared.pairs)
  func measuresAgreeWithSciPy(_ expected: Reference.Pair) throws {
    let (a, b) = (try values(expected.a), try values(expected.b))
    expectTest(kolmogorovSmirnov(a, b), expected.ks)
    expectClose(wassersteinDistance(a, b), expected.wasserstein)
    expectClose(cliffsDelta(a, b), expected.cliffs_delta)
    guard expected.paired else { return }
    expectTest(spearman(a, b), expected.spearman)
    expectOptional(kendallTau(a, b), expected.kendall)
  }

  @Test func theKolmogorovDistributionAgreesWithSciPy() {
    for row in Reference.shared.kolmogorov {
      expectProbability(kolmogorovSurvival(row.x, count: row.n), row.sf, "n \(row.n), x \(row.x)")
    }
  }

  @Test func swappingTheSamplesChangesNoDistance() throws {
    let (a, b) = (try values("s_ties"), try values("s_ten"))
    #expect(kolmogorovSmirnov(a, b) == kolmogorovSmirnov(b, a))
    expectClose(wassersteinDistance(a, b), wassersteinDistance(b, a))
    #expect(cliffsDelta(a, b) == -cliffsDelta(b, a))
    let (c, d) = (try values("s_ties"), try values("s_ties_other"))
    #expect(spearman(c, d) == spearman(d, c))
    #expect(kendallTau(c, d) == kendallTau(d, c))
  }

  @Test func ranksSeeOnlyTheOrder() throws {
    let (a, b) = (try values("s_ten"), try values("s_ten_other"))
    let moved = a.map { exp($0) }
    #expect(spearman(a, b) == spearman(moved, b))
    #expect(kendallTau(a, b) == kendallTau(moved, b))
    #expect(kolmogorovSmirnov(a, b) == kolmogorovSmirnov(moved, b.map { exp($0) }))
    #expect(cliffsDelta(a, b) == cliffsDelta(moved, b.map { exp($0) }))
  }

  @Test func equalAndOppositeOrdersAreTheExtremes() throws {
    let a = try values("s_wide")
    let opposite = a.map { -$0 }
    #expect(spearman(a, a) == TestResult(statistic: 1, pValue: 0))
    #expect(spearman(a, opposite) == TestResult(statistic: -1, pValue: 0))
    expectClose(try #require(kendallTau(a, a)), 1)
    expectClose(try #require(kendallTau(a, opposite)), -1)
    #expect(wassersteinDistance(a, a) == 0)
    #expect(kolmogorovSmirnov(a, a) == TestResult(statistic: 0, pValue: 1))
    #expect(cliffsDelta([5, 6], [1, 2, 3]) == 1)
    #expect(cliffsDelta(a, a) == 0)
  }

  @Test func aShiftIsTheWassersteinDistance() throws {
    let a = try values("s_ten")
    expectClose(wassersteinDistance(a, a.map { $0 + 2.5 }), 2.5)
  }

  @Test func singleNumbersHaveNoEvidence() {
    #expect(kolmogorovSmirnov([1], [2]) == TestResult(statistic: 1, pValue: 1))
    #expect(spearman([1], [2]) == nil)
    #expect(spearman([], []) == nil)
    #expect(kendallTau([1], [2]) == nil)
    #expect(kendallTau([], []) == nil)
    #expect(kendallTau([1, 1, 1], [1, 2, 3]) == nil)
  }

  @Test func kendallCountsPairsAsTheDefinitionDoes() throws {
    let (a, b) = (try values("s_ties"), try values("s_ties_other"))
    var (difference, untiedA, untiedB) = (0.0, 0.0, 0.0)
    for i in a.indices {
      for j in 0..<i {
        let (x, y) = ((a[i] - a[j]).signum, (b[i] - b[j]).signum)
        difference += x * y
        untiedA += x * x
        untiedB += y * y
      }
    }
    expectClose(try #require(kendallTau(a, b)), difference / (untiedA * untiedB).squareRoot())
  }

  @Test func ranksAndQuantilesAgreeWithSciPyAndNumPy() {
    let (ranks, quantiles) = (Reference.shared.ranks, Reference.shared.quantiles)
    #expect(averageRanks(ranks.values) == ranks.ranks)
    #expect(averageRanks([]).isEmpty)
    for point in quantiles.points { expectClose(quantile(quantiles.sorted, point[0]), point[1]) }
    #expect(quantile([4], 0.3) == 4)
  }
}

extension Double {
  fileprivate var signum: Double { self > 0 ? 1 : self < 0 ? -1 : 0 }
}
