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
    guard clusters.count > 1, clusters.allSatisfy({ !$0.isEmpty }) else { return nil }
    let sources = clusters.map { Source($0, isFixed: !resamplesWithin) }
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

/// What a drawn cluster's mean is drawn from.
private enum Source {
  case fixed(Double)
  case normal(mean: Double, standardError: Double)
  case values([Double])

  init(_ values: [Double], isFixed: Bool) {
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

  func mean(_ stream: inout RandomStream) -> Double {
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
