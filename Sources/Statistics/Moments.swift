/// Mean and spread of at least two values that are not all equal.
struct Moments {
  let count: Int
  let mean: Double
  /// The sample standard deviation (divided by n - 1), above 0.
  let standardDeviation: Double

  var degrees: Double { Double(count - 1) }
  var standardError: Double { standardDeviation / Double(count).squareRoot() }

  /// Nil for fewer than two values or values that are all equal.
  init?(_ values: [Double]) {
    guard let first = values.first, values.contains(where: { $0 != first }) else { return nil }
    count = values.count
    mean = accurateMean(values)
    standardDeviation = (sumOfSquares(values, around: mean) / Double(count - 1)).squareRoot()
  }
}

/// The mean in two passes: the second one adds what rounding lost in the first.
func accurateMean(_ values: [Double]) -> Double {
  let count = Double(values.count)
  let first = values.reduce(0, +) / count
  return first + values.reduce(0) { $0 + ($1 - first) } / count
}

func sumOfSquares(_ values: [Double], around mean: Double) -> Double {
  values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
}

/// The quantile at `fraction` of `sorted`, linearly interpolated between neighbours (numpy's default).
///
/// - Precondition: `sorted` is ascending and not empty, `fraction` lies in [0, 1].
public func quantile(_ sorted: [Double], _ fraction: Double) -> Double { quantile(sorted[...], fraction) }

/// ``quantile(_:_:)`` of a part of an array.
package func quantile(_ sorted: ArraySlice<Double>, _ fraction: Double) -> Double {
  precondition(!sorted.isEmpty && 0...1 ~= fraction, "A quantile needs values and a fraction in [0, 1].")
  let place = fraction * Double(sorted.count - 1)
  let lower = sorted.startIndex + Int(place)
  let upper = min(lower + 1, sorted.endIndex - 1)
  return sorted[lower] + (place - place.rounded(.down)) * (sorted[upper] - sorted[lower])
}
