import Randomness

extension ClusterBootstrap {
  /// The percentile interval of the mean over clusters of their means, where clusters are values of the same units, such as
  /// networks of several seeds on the same test images: clusters are drawn with replacement, units too, and the same drawn
  /// units count for every drawn cluster (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1, 2007).
  ///
  /// Drawing units anew within each cluster, as ``interval(_:level:resamplesWithin:)`` does, would average their noise over the
  /// clusters as if each had units of its own; what makes an image hard is the same for all networks.
  ///
  /// Of up to 100 units that all clusters have, units are drawn; else the mean is drawn from its normal limit given the drawn
  /// clusters, with the covariance of the clusters' means over units.
  ///
  /// - Parameters:
  ///   - clusters: The values by cluster.
  ///   - units: The unit of each value, ascending within each cluster; nil if all clusters have the same units in one order.
  ///     A cluster's mean is then that of its own units among the drawn ones.
  ///   - level: In (0, 1).
  /// - Returns: Nil for fewer than two clusters, which do not show how clusters vary, or if one is empty.
  public func jointInterval(
    _ clusters: [[Double]], units: [[Int]]? = nil, level: Double = 0.95
  ) -> Interval? {
    precondition(level > 0 && level < 1, "A level lies between 0 and 1.")
    precondition(units == nil || units!.map(\.count) == clusters.map(\.count), "Each value is of a unit.")
    guard clusters.count > 1, clusters.allSatisfy({ !$0.isEmpty }) else { return nil }
    let isComplete = units.map { Set($0).count == 1 } ?? true
    precondition(!isComplete || Set(clusters.map(\.count)).count == 1, "Clusters have the same units.")
    let draw =
      isComplete && clusters[0].count <= 100 ? drawing(clusters) : normal(clusters, isComplete ? nil : units)
    let means = (0..<resamples).map { resample in
      var stream = RandomStream(seed: seed, purpose: .bootstrap, epoch: UInt32(resample))
      let drawn = clusters.map { _ in stream.nextInteger(below: clusters.count) }
      return draw(drawn, &stream)
    }.sorted()
    let tail = (1 - level) / 2
    return Interval(lower: quantile(means, tail), upper: quantile(means, 1 - tail))
  }

  private typealias Draw = (_ drawnClusters: [Int], _ stream: inout RandomStream) -> Double

  private func drawing(_ clusters: [[Double]]) -> Draw {
    { drawn, stream in
      let count = clusters[0].count
      let sum = (0..<count).reduce(0.0) { sum, _ in
        let unit = stream.nextInteger(below: count)
        return drawn.reduce(sum) { $0 + clusters[$1][unit] }
      }
      return sum / Double(count * drawn.count)
    }
  }

  private func normal(_ clusters: [[Double]], _ units: [[Int]]?) -> Draw {
    let means = clusters.map(accurateMean)
    let covariances = covariancesOfMeans(clusters, means, units)
    return { drawn, stream in
      let count = Double(drawn.count)
      let mean = drawn.reduce(0) { $0 + means[$1] } / count
      let variance = drawn.reduce(0) { sum, a in drawn.reduce(sum) { $0 + covariances[a][$1] } }
      // Rounding must not make it negative.
      return mean + max(0, variance).squareRoot() / count * stream.nextNormal()
    }
  }
}

/// How the clusters' means vary together when units are redrawn: the sum over common units of the products of deviations, over
/// both numbers of values.
private func covariancesOfMeans(_ clusters: [[Double]], _ means: [Double], _ units: [[Int]]?) -> [[Double]] {
  let unitCount = units.map { $0.map { $0.last! }.max()! + 1 } ?? clusters[0].count
  // A cluster without a unit does not change with it.
  let deviations = clusters.indices.map { cluster -> [Double] in
    let count = Double(clusters[cluster].count)
    let values = clusters[cluster].map { ($0 - means[cluster]) / count }
    guard let units else { return values }
    var all = [Double](repeating: 0, count: unitCount)
    for (unit, value) in zip(units[cluster], values) { all[unit] = value }
    return all
  }
  return deviations.map { a in
    deviations.map { b in
      var sum = 0.0
      for unit in a.indices { sum += a[unit] * b[unit] }
      return sum
    }
  }
}
