import Statistics
import Testing

@Suite struct DistributionsTests {
  private func rows(_ name: String) throws -> [[Double]] {
    try #require(Reference.shared.distributions[name])
  }

  @Test func normalTailsAgreeWithSciPy() throws {
    for row in try rows("normal") {
      expectProbability(Distributions.normalCDF(row[0]), row[1], "cdf \(row[0])")
      expectProbability(Distributions.normalSurvival(row[0]), row[2], "sf \(row[0])")
    }
  }

  @Test func normalQuantilesAgreeWithSciPy() throws {
    for row in try rows("normal_quantile") { expectClose(Distributions.normalQuantile(row[0]), row[1]) }
    #expect(Distributions.normalQuantile(0) == -.infinity)
    #expect(Distributions.normalQuantile(1) == .infinity)
  }

  @Test func studentTTailsAgreeWithSciPy() throws {
    for row in try rows("student_t") {
      let note = "\(row[0]) degrees, t \(row[1])"
      expectProbability(Distributions.studentTCDF(row[1], degrees: row[0]), row[2], note)
      expectProbability(Distributions.studentTSurvival(row[1], degrees: row[0]), row[3], note)
    }
  }

  @Test func studentTQuantilesAgreeWithSciPy() throws {
    for row in try rows("student_t_quantile") {
      expectClose(Distributions.studentTQuantile(row[1], degrees: row[0]), row[2], "\(row)")
    }
    #expect(Distributions.studentTQuantile(0, degrees: 3) == -.infinity)
    #expect(Distributions.studentTQuantile(1, degrees: 3) == .infinity)
  }

  @Test func chiSquaredTailsAgreeWithSciPy() throws {
    for row in try rows("chi_squared") {
      expectProbability(Distributions.chiSquaredSurvival(row[1], degrees: row[0]), row[2], "\(row)")
    }
  }

  @Test func theIncompleteBetaFunctionAgreesWithSciPy() throws {
    for row in try rows("beta") {
      let value = Distributions.regularizedBeta(row[2], complement: 1 - row[2], row[0], row[1])
      expectProbability(value, row[3], "\(row)")
    }
  }

  @Test func quantilesInvertTheDistributions() {
    for p in [1e-9, 0.01, 0.3, 0.77, 0.999] {
      expectProbability(Distributions.normalCDF(Distributions.normalQuantile(p)), p)
      let t = Distributions.studentTQuantile(p, degrees: 4.5)
      expectProbability(Distributions.studentTCDF(t, degrees: 4.5), p)
    }
  }

  @Test func infiniteStatisticsHaveNoTail() {
    #expect(Distributions.studentTSurvival(.infinity, degrees: 4) == 0)
    #expect(Distributions.studentTSurvival(-.infinity, degrees: 4) == 1)
    #expect(Distributions.chiSquaredSurvival(.infinity, degrees: 4) == 0)
    #expect(Distributions.chiSquaredSurvival(0, degrees: 4) == 1)
  }
}
