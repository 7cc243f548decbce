import Randomness
import Statistics
import Testing

@Suite struct JointBootstrapTests {
  /// All equally likely resampled means: every draw of clusters with every draw of units.
  private func allMeans(_ clusters: [[Double]]) -> [Double] {
    func tuples(_ length: Int, below count: Int) -> [[Int]] {
      (0..<length).reduce([[]]) { all, _ in all.flatMap { one in (0..<count).map { one + [$0] } } }
    }
    let (count, units) = (clusters.count, clusters[0].count)
    return tuples(count, below: count).flatMap { drawn in
      tuples(units, below: units).map { rows in
        rows.reduce(0) { sum, row in drawn.reduce(sum) { $0 + clusters[$1][row] } } / Double(count * units)
      }
    }
  }

  @Test func theIntervalOfTinyClustersCutsOffTheWantedShares() throws {
    let clusters = [[0.0, 1, 5], [3, 7.5, 4], [2, 2.25, 9]]
    let means = allMeans(clusters)
    #expect(means.count == 729)
    for level in [0.5, 0.9] {
      let interval = try #require(ClusterBootstrap().jointInterval(clusters, level: level))
      let tail = (1 - level) / 2
      let error = 4 * (tail * (1 - tail) / 10_000).squareRoot()
      func share(_ holds: (Double) -> Bool) -> Double { Double(means.count(where: holds)) / 729 }
      #expect(share { $0 < interval.lower - 1e-9 } <= tail + error)
      #expect(share { $0 <= interval.lower + 1e-9 } >= tail - error)
      #expect(share { $0 > interval.upper + 1e-9 } <= tail + error)
      #expect(share { $0 >= interval.upper - 1e-9 } >= tail - error)
    }
  }

  private func values(_ count: Int, _ seed: UInt32) -> [Double] {
    var stream = RandomStream(seed: 1, purpose: .test, epoch: seed)
    return (0..<count).map { _ in stream.nextNormal() }
  }

  /// Networks that agree on every image are no more evidence about images than one: the interval of the mean keeps the width
  /// 2 x 1.96 sd / sqrt(n), while redrawing within each cluster would divide it by about the root of their number.
  @Test func equalClustersAreOne() throws {
    let one = values(400, 1)
    let clusters = [[Double]](repeating: one, count: 6)
    let mean = one.reduce(0, +) / 400
    let sd = (one.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 400).squareRoot()
    let joint = try #require(ClusterBootstrap().jointInterval(clusters))
    let width = joint.upper - joint.lower
    #expect(abs(width / (2 * 1.96 * sd / 20) - 1) < 0.05, "\(width)")
    let within = try #require(ClusterBootstrap().interval(clusters))
    #expect(within.upper - within.lower < 0.6 * width)
  }

  @Test func theNormalLimitContinuesTheDraws() throws {
    func interval(_ count: Int) throws -> Interval {
      let values = (0..<count).map { Double($0 * $0 % 97) / 97 }
      return try #require(ClusterBootstrap().jointInterval([values, values.map { 1 - $0 * $0 }]))
    }
    let (drawn, limit) = (try interval(100), try interval(101))
    let width = drawn.upper - drawn.lower
    #expect(abs(limit.lower - drawn.lower) < 0.1 * width && abs(limit.upper - drawn.upper) < 0.1 * width)
  }

  /// Clusters that lack some units, against a loop that draws units one by one.
  @Test func clustersMayLackUnits() throws {
    let shared = values(300, 2)
    let units = (0..<4).map { cluster in (0..<300).filter { $0 % (cluster + 3) != 1 } }
    let members = units.map { rows in (0..<300).map { rows.contains($0) } }
    // Values of units that a cluster lacks are not read.
    let clusters = members.enumerated().map { cluster, isMember in
      let own = values(300, UInt32(3 + cluster))
      return (0..<300).map { isMember[$0] ? 2 * shared[$0] + own[$0] + Double(cluster) / 20 : .nan }
    }
    let interval = try #require(ClusterBootstrap().jointInterval(clusters, members: members))
    var stream = RandomStream(seed: 9, purpose: .test)
    let means = (0..<4000).map { _ -> Double in
      var counts = [Int](repeating: 0, count: 300)
      for _ in 0..<300 { counts[stream.nextInteger(below: 300)] += 1 }
      return (0..<4).reduce(0) { sum, _ in
        let cluster = stream.nextInteger(below: 4)
        let pairs = units[cluster].map { ($0, clusters[cluster][$0]) }
        let total = pairs.reduce(0) { $0 + counts[$1.0] }
        return sum + pairs.reduce(0) { $0 + Double(counts[$1.0]) * $1.1 } / Double(total) / 4
      }
    }.sorted()
    let width = interval.upper - interval.lower
    #expect(abs(interval.lower - quantile(means, 0.025)) < 0.05 * width)
    #expect(abs(interval.upper - quantile(means, 0.975)) < 0.05 * width)
    // Units that no cluster has are none.
    for count in [90, 200] {
      let complete = [shared, shared.map { $0 * $0 }]
      let mask = (0..<300).map { $0 * count / 300 < ($0 + 1) * count / 300 }
      let chosen = complete.map { zip($0, mask).compactMap { $1 ? $0 : nil } }
      #expect(
        ClusterBootstrap().jointInterval(complete, members: [mask, mask])
          == ClusterBootstrap().jointInterval(chosen))
    }
  }

  @Test func fewerThanTwoClustersOrAnEmptyOneHaveNoInterval() {
    for clusters: [[Double]] in [[], [[1, 2, 3]], [[], []]] {
      #expect(ClusterBootstrap().jointInterval(clusters) == nil)
    }
    #expect(ClusterBootstrap().jointInterval([[2, 2], [2, 2]]) == Interval(lower: 2, upper: 2))
  }
}
