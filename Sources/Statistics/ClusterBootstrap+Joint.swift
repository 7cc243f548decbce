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
  ///   - clusters: The values by cluster, one per unit.
  ///   - members: Whether each cluster has each unit; the values of units that it lacks are not read. nil if all have all. A
  ///     cluster's mean is that of its own units among the drawn ones.
  ///   - level: In (0, 1).
  /// - Returns: Nil for fewer than two clusters, which do not show how clusters vary, or if one is empty.
  public func jointInterval(
    _ clusters: [[Double]], members: [[Bool]]? = nil, level: Double = 0.95
  ) -> Interval? {
    JointMeans(clusters, members: members).map { interval(of: $0, level: level) }
  }

  /// The same of clusters of which only that is kept which joint means are drawn from.
  package func interval(of means: JointMeans, level: Double = 0.95) -> Interval {
    precondition(level > 0 && level < 1, "A level lies between 0 and 1.")
    let sorted = (0..<resamples).map { resample in
      var stream = RandomStream(seed: seed, purpose: .bootstrap, epoch: UInt32(resample))
      let drawn = (0..<means.clusterCount).map { _ in stream.nextInteger(below: means.clusterCount) }
      return means.draw(drawn, &stream)
    }.sorted()
    let tail = (1 - level) / 2
    return Interval(lower: quantile(sorted, tail), upper: quantile(sorted, 1 - tail))
  }

  /// What the means of clusters of the same units are drawn from, together: of S clusters of many units S x S numbers.
  package enum JointMeans: Sendable {
    /// Few values, one per cluster and unit.
    case values([[Double]])
    /// The clusters' means, and how they vary together when units are redrawn.
    case normal(means: [Double], covariances: [[Double]])

    /// Of clusters as ``ClusterBootstrap/jointInterval(_:members:level:)`` takes them; nil where that is.
    package init?(_ clusters: [[Double]], members: [[Bool]]? = nil) {
      precondition(Set(clusters.map(\.count)).count <= 1, "Clusters have one value per unit.")
      precondition(members == nil || members!.map(\.count) == clusters.map(\.count), "Each unit is marked.")
      let isComplete = members.map { $0.allSatisfy { $0 == members![0] } } ?? true
      let clusters =
        isComplete && members != nil
        ? zip(clusters, members!).map { chosen($0, $1) } : clusters
      let sizes = isComplete ? clusters.map(\.count) : members!.map { $0.count { $0 } }
      guard clusters.count > 1, sizes.allSatisfy({ $0 > 0 }) else { return nil }
      if isComplete && clusters[0].count <= 100 {
        self = .values(clusters)
      } else {
        self = Self.normal(clusters, isComplete ? nil : members, sizes)
      }
    }

    fileprivate var clusterCount: Int {
      switch self {
      case .values(let clusters): clusters.count
      case .normal(let means, _): means.count
      }
    }

    /// The mean over the drawn clusters of their means over newly drawn units.
    fileprivate func draw(_ drawn: [Int], _ stream: inout RandomStream) -> Double {
      let count = Double(drawn.count)
      switch self {
      case .values(let clusters):
        let units = clusters[0].count
        let sum = (0..<units).reduce(0.0) { sum, _ in
          let unit = stream.nextInteger(below: units)
          return drawn.reduce(sum) { $0 + clusters[$1][unit] }
        }
        return sum / (Double(units) * count)
      case .normal(let means, let covariances):
        let mean = drawn.reduce(0) { $0 + means[$1] } / count
        let variance = drawn.reduce(0) { sum, a in drawn.reduce(sum) { $0 + covariances[a][$1] } }
        // Rounding must not make it negative.
        return mean + max(0, variance).squareRoot() / count * stream.nextNormal()
      }
    }

    /// The covariance of two means is the sum over common units of the products of deviations, over both numbers of values: a
    /// cluster without a unit does not change with it.
    private static func normal(_ clusters: [[Double]], _ members: [[Bool]]?, _ sizes: [Int]) -> JointMeans {
      let means = clusters.indices.map { cluster in
        accurateMean(members.map { chosen(clusters[cluster], $0[cluster]) } ?? clusters[cluster])
      }
      var covariances = [[Double]](
        repeating: [Double](repeating: 0, count: clusters.count), count: clusters.count)
      for a in clusters.indices {
        for b in a..<clusters.count {
          var sum = 0.0
          for unit in clusters[a].indices where members.map({ $0[a][unit] && $0[b][unit] }) ?? true {
            sum += (clusters[a][unit] - means[a]) * (clusters[b][unit] - means[b])
          }
          covariances[a][b] = sum / Double(sizes[a]) / Double(sizes[b])
          covariances[b][a] = covariances[a][b]
        }
      }
      return .normal(means: means, covariances: covariances)
    }
  }
}

/// The marked values.
private func chosen(_ values: [Double], _ isChosen: [Bool]) -> [Double] {
  zip(values, isChosen).compactMap { $1 ? $0 : nil }
}
