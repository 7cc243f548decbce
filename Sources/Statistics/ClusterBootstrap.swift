import Randomness

/// The bootstrap of values in clusters, such as samples of networks of several seeds: clusters are drawn with
/// replacement and, if wanted, the values within each drawn cluster too.
///
/// Within a cluster of more than 100 values the mean of the redrawn values is drawn from its normal limit,
/// whose variance is the cluster's variance (divided by n) over n. Resample r uses random numbers of its own,
/// so that equal seeds give equal results.
public struct ClusterBootstrap: Sendable {
  /// How many resampled means make the interval.
  public let resamples: Int
  /// Names the random numbers.
  public let seed: UInt64

  /// Creates a bootstrap of `resamples` draws, at least 1.
  public init(resamples: Int = 10_000, seed: UInt64 = 0) {
    precondition(resamples >= 1, "There must be a resample.")
    (self.resamples, self.seed) = (resamples, seed)
  }

  /// The percentile interval of the mean over clusters of their means; each cluster counts the same.
  ///
  /// - Parameters:
  ///   - clusters: The values by cluster.
  ///   - level: In (0, 1).
  ///   - resamplesWithin: Whether values are redrawn too, or clusters alone.
  /// - Returns: Nil for fewer than two clusters, which do not show how clusters vary, or if one is empty.
  public func interval(
    _ clusters: [[Double]], level: Double = 0.95, resamplesWithin: Bool = true
  ) -> Interval? {
    precondition(level > 0 && level < 1, "A level lies between 0 and 1.")
    guard clusters.allSatisfy({ !$0.isEmpty }) else { return nil }
    return interval(of: clusters.map { Source($0, isFixed: !resamplesWithin) }, level: level)
  }

  /// The same of clusters of which only that is kept which means are drawn from.
  package func interval(of sources: [Source], level: Double = 0.95) -> Interval? {
    guard sources.count > 1 else { return nil }
    let means = (0..<resamples).map { resample in
      var stream = RandomStream(seed: seed, purpose: .bootstrap, epoch: UInt32(resample))
      var sum = 0.0
      for _ in sources { sum += sources[stream.nextInteger(below: sources.count)].mean(&stream) }
      return sum / Double(sources.count)
    }.sorted()
    let tail = (1 - level) / 2
    return Interval(lower: quantile(means, tail), upper: quantile(means, 1 - tail))
  }
}

extension ClusterBootstrap {
  /// What a drawn cluster's mean is drawn from.
  package enum Source: Sendable {
    case fixed(Double)
    case normal(mean: Double, standardError: Double)
    case values([Double])

    /// - Parameter values: Not empty.
    package init(_ values: [Double], isFixed: Bool = false) {
      let mean = accurateMean(values)
      if isFixed {
        self = .fixed(mean)
      } else if values.count > 100 {
        let count = Double(values.count)
        self = .normal(mean: mean, standardError: sumOfSquares(values, around: mean).squareRoot() / count)
      } else {
        self = .values(values)
      }
    }

    fileprivate func mean(_ stream: inout RandomStream) -> Double {
      switch self {
      case .fixed(let mean): return mean
      case .normal(let mean, let standardError): return mean + standardError * stream.nextNormal()
      case .values(let values):
        var sum = 0.0
        for _ in values { sum += values[stream.nextInteger(below: values.count)] }
        return sum / Double(values.count)
      }
    }
  }
}
