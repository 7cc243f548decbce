/// P-values adjusted for the number of tests by Holm's step-down method (1979), in the given order: those
/// below a level keep the probability of any false rejection below it.
///
/// - Parameter pValues: In [0, 1].
public func holm(_ pValues: [Double]) -> [Double] {
  var adjusted = pValues
  var largest = 0.0
  for (place, index) in pValues.indices.sorted(by: { pValues[$0] < pValues[$1] }).enumerated() {
    largest = max(largest, min(1, pValues[index] * Double(pValues.count - place)))
    adjusted[index] = largest
  }
  return adjusted
}
