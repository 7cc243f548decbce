import Testing

/// A reference result in Double: each element's value and the sum of the absolute values that were added to
/// make it, which is what float rounding errors are proportional to.
package struct Reference {
  package var values: [Double]
  package var magnitudes: [Double]

  package init(count: Int) {
    values = Array(repeating: 0, count: count)
    magnitudes = values
  }

  /// A reference whose magnitude is the value itself, for operations that add nothing up.
  package init(_ values: [Double]) {
    self.values = values
    magnitudes = values.map(abs)
  }

  package mutating func add(_ term: Double, to index: Int) {
    values[index] += term
    magnitudes[index] += abs(term)
  }
}

/// Expects every element to be within `factor` units in the last place of the magnitude of the reference.
///
/// Summing n floats in any order errs by at most about n / 2 ulp of the sum of magnitudes, and by about
/// sqrt(n) / 2 for random signs; `factor` states which bound a test relies on.
package func expectClose(
  _ actual: [Float], _ reference: Reference, factor: Double, absolute: Double = 1e-30, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == reference.values.count else {
    Issue.record(
      "\(actual.count) values instead of \(reference.values.count) \(comment)", sourceLocation: sourceLocation
    )
    return
  }
  let ulp = Double(Float.ulpOfOne)
  var worst = (index: -1, excess: 1.0)
  for (i, value) in actual.enumerated() {
    let allowed = factor * ulp * reference.magnitudes[i] + absolute
    let error = abs(Double(value) - reference.values[i])
    let excess = error.isFinite ? error / allowed : .infinity
    if excess > worst.excess { worst = (i, excess) }
  }
  if worst.index >= 0 {
    let i = worst.index
    Issue.record(
      """
      element \(i): \(actual[i]) instead of \(reference.values[i]), \(worst.excess) times the allowed error \
      \(comment)
      """, sourceLocation: sourceLocation)
  }
}
