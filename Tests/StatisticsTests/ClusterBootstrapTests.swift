import Statistics
import Testing

@Suite struct ClusterBootstrapTests {
  @Test func intervalsAgreeWithABootstrapByNumPy() throws {
    for row in Reference.shared.bootstrap {
      let values = try #require(Reference.shared.series[row.series])
      let size = values.count / row.clusters
      let clusters = (0..<row.clusters).map { Array(values[$0 * size..<($0 + 1) * size]) }
      let bootstrap = ClusterBootstrap(resamples: 40_000, seed: 3)
      let interval = try #require(
        bootstrap.interval(clusters, level: row.level, resamplesWithin: row.within))
      // The standard error of such a quantile is sqrt(f (1 - f) / n) over the density, about 0.015 SD here.
      #expect(
        abs(interval.lower - row.interval[0]) < 0.06 * row.sd, "\(row.series) \(row.level) \(row.within)")
      #expect(
        abs(interval.upper - row.interval[1]) < 0.06 * row.sd, "\(row.series) \(row.level) \(row.within)")
    }
  }

  /// All equally likely resampled means of `clusters`, times the number of clusters.
  private func allSums(_ clusters: [[Double]], within: Bool) -> [Double] {
    func tuples(_ count: Int, of choices: [Double]) -> [Double] {
      (0..<count).reduce([0]) { sums, _ in sums.flatMap { sum in choices.map { sum + $0 } } }
    }
    let means = clusters.flatMap { values in
      (within ? tuples(values.count, of: values) : [values.reduce(0, +)]).map { $0 / Double(values.count) }
    }
    return tuples(clusters.count, of: means)
  }

  @Test(arguments: [true, false])
  func theIntervalOfTinyClustersCutsOffTheWantedShares(_ within: Bool) throws {
    // Of equal sizes, so that all outcomes are equally likely.
    let clusters = [[0.0, 1], [3, 7.5], [2, 2.25]]
    let sums = allSums(clusters, within: within)
    #expect(sums.count == (within ? 1728 : 27))
    for level in [0.5, 0.9] {
      let interval = try #require(
        ClusterBootstrap().interval(clusters, level: level, resamplesWithin: within))
      let tail = (1 - level) / 2
      let error = 4 * (tail * (1 - tail) / 10_000).squareRoot()
      func share(_ holds: (Double) -> Bool) -> Double {
        Double(sums.count { holds($0 / 3) }) / Double(sums.count)
      }
      let rounding = 1e-9
      #expect(share { $0 < interval.lower - rounding } <= tail + error)
      #expect(share { $0 <= interval.lower + rounding } >= tail - error)
      #expect(share { $0 > interval.upper + rounding } <= tail + error)
      #expect(share { $0 >= interval.upper - rounding } >= tail - error)
    }
  }

  @Test func theNormalLimitContinuesTheDraws() throws {
    // 100 values are drawn one by one, 101 by the limit: nearly the same values, nearly the same
    // interval.
    func interval(_ count: Int) throws -> Interval {
      let values = (0..<count).map { Double($0 * $0 % 97) / 97 }
      return try #require(ClusterBootstrap().interval([values, values]))
    }
    let (drawn, limit) = (try interval(100), try interval(101))
    let width = drawn.upper - drawn.lower
    #expect(abs(limit.lower - drawn.lower) < 0.1 * width)
    #expect(abs(limit.upper - drawn.upper) < 0.1 * width)
  }

  @Test func theSameSeedGivesTheSameInterval() {
    let clusters = [[1.0, 2, 4], [3, 5, 9, 10], [2]]
    let bootstrap = ClusterBootstrap(resamples: 500, seed: 7)
    #expect(bootstrap.interval(clusters) == bootstrap.interval(clusters))
    #expect(bootstrap.interval(clusters) != ClusterBootstrap(resamples: 500, seed: 8).interval(clusters))
  }

  @Test func movedAndScaledValuesMoveAndScaleTheInterval() throws {
    let clusters = [[1.0, 2, 4], [3, 5, 9, 10], [2]]
    let bootstrap = ClusterBootstrap(resamples: 500)
    let (plain, moved) = (
      try #require(bootstrap.interval(clusters)),
      try #require(bootstrap.interval(clusters.map { $0.map { 4 * $0 + 8 } }))
    )
    expectClose(moved.lower, 4 * plain.lower + 8)
    expectClose(moved.upper, 4 * plain.upper + 8)
  }

  @Test func equalValuesGiveAPoint() {
    #expect(ClusterBootstrap().interval([[2, 2], [2]]) == Interval(lower: 2, upper: 2))
  }

  @Test func fewerThanTwoClustersOrAnEmptyOneHaveNoInterval() {
    for clusters: [[Double]] in [[], [[1, 2, 3]], [[1], []]] {
      #expect(ClusterBootstrap().interval(clusters) == nil)
    }
  }

  @Test func sixSeedsOfTenThousandSamplesTakeLessThanASecond() {
    let clusters = (0..<6).map { seed in (0..<10_000).map { Double(($0 + seed) % 101) } }
    let time = ContinuousClock().measure { _ = ClusterBootstrap().interval(clusters) }
    #expect(time < .seconds(1))
  }
}
