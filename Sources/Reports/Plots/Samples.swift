extension Plot {
  /// The values of one curve: raw samples whose distribution is shown.
  public struct Samples: Sendable {
    let name: String
    let sorted: [Double]

    /// Creates a series.
    /// - Parameter values: Finite; in any order. Without values it is shown as "no data".
    public init(_ name: String, _ values: [Double]) {
      Plot.Axis("").check(values)
      self.name = name
      sorted = values.sorted()
    }

    /// The value below which the share `fraction` lies; there must be values.
    func quantile(_ fraction: Double) -> Double {
      sorted[Int((fraction * Double(sorted.count - 1)).rounded())]
    }

    /// The number of values outside `range`.
    func outside(_ range: ClosedRange<Double>) -> Int { sorted.count { !range.contains($0) } }

    /// The range that holds all values of the series, or of each larger one the middle 99.8 %: single outliers
    /// must not squeeze everything else. Never empty.
    static func range(_ series: [Plot.Samples]) -> ClosedRange<Double> {
      let parts = series.filter { !$0.sorted.isEmpty }.map { part in
        let tail = part.sorted.count < 1_000 ? 0 : 0.001
        return (part.quantile(tail), part.quantile(1 - tail))
      }
      guard let low = parts.map(\.0).min(), let high = parts.map(\.1).max() else { return 0...1 }
      return widened(low...high)
    }

    /// A sentence about values that the axis leaves out; nil if there are none.
    static func remark(_ series: [Plot.Samples], _ range: ClosedRange<Double>) -> String? {
      let outside = series.reduce(0) { $0 + $1.outside(range) }
      let total = series.reduce(0) { $0 + $1.sorted.count }
      guard outside > 0 else { return nil }
      return "\(grouped(outside)) of \(grouped(total)) values lie outside the axis."
    }
  }
}

/// A range of some length around `range`, which may be a single value.
func widened(_ range: ClosedRange<Double>) -> ClosedRange<Double> {
  guard range.lowerBound == range.upperBound else { return range }
  let margin = max(0.5, abs(range.lowerBound) * 0.05)
  return range.lowerBound - margin...range.upperBound + margin
}
