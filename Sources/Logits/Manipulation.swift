import FileFormats
import Foundation
import Randomness

/// A change of a teacher's logits, for finding out which part of them a student learns robustness from.
///
/// c is the teacher's predicted class of a sample (its largest logit z_c, the lowest class of equal ones), "non-max"
/// are the other K' = K - 1 classes. Every manipulation keeps z_c, and z_c stays a largest logit.
public enum Manipulation: Sendable, Equatable, CustomStringConvertible {
  /// Nothing changes.
  case intact
  /// Non-max logits all become T (LSE_{j != c}(z_j / T) - log K'), LSE being log-sum-exp: the probability of c
  /// at this temperature T > 0 is kept, the differences among the other classes are removed.
  case uniformNonMax(temperature: Double)
  /// Non-max logits are permuted, once and for all per (seed, sample id): maximum, gap, entropy and sorted values
  /// are kept, which class has which value is not.
  case permuteNonMax(seed: UInt64)
  /// The order of the non-max logits is reversed: the class of rank r gets the value of rank K' + 1 - r. Maximum,
  /// gap, entropy and sorted values are kept. Equal values rank by class.
  case reverseNonMax

  /// The manipulation as one word with its settings, as recorded in a table's provenance.
  public var description: String {
    switch self {
    case .intact: "intact"
    case .uniformNonMax(let temperature): "uniform_non_max(temperature=\(temperature))"
    case .permuteNonMax(let seed): "permute_non_max(seed=\(seed))"
    case .reverseNonMax: "reverse_non_max"
    }
  }

  /// Changes `row`, the logits of the sample `id`.
  fileprivate func apply(to row: inout [Float], id: Int64) {
    let predicted = row.withUnsafeBufferPointer { LogitRow($0).predicted }
    let others = row.indices.filter { $0 != predicted }
    let values: [Float]
    switch self {
    case .intact: return
    case .uniformNonMax(let temperature):
      let value = uniformValue(others.map { row[$0] }, temperature)
      values = [Float](repeating: value, count: others.count)
    case .permuteNonMax(let seed):
      let bits = UInt64(bitPattern: id)
      var stream = RandomStream(
        seed: seed, purpose: .permutation, epoch: UInt32(bits >> 32), sample: UInt32(truncatingIfNeeded: bits)
      )
      values = stream.permutation(of: others.count).map { row[others[$0]] }
    case .reverseNonMax:
      let ranked = others.indices.sorted { (row[others[$1]], $0) < (row[others[$0]], $1) }
      var reversed = [Float](repeating: 0, count: others.count)
      for (place, mirrored) in zip(ranked, ranked.reversed()) { reversed[place] = row[others[mirrored]] }
      values = reversed
    }
    for (other, value) in zip(others, values) { row[other] = value }
  }
}

/// T (LSE(z / T) - log n) of the n given logits.
private func uniformValue(_ logits: [Float], _ temperature: Double) -> Float {
  let values = logits.map(Double.init)
  let (minimum, maximum) = (values.min()!, values.max()!)
  // As max z + T log(mean of exp((z - max z) / T)), exact to rounding for large T too.
  let mean = values.reduce(0) { $0 + expm1(($1 - maximum) / temperature) } / Double(values.count)
  let value = maximum + temperature * log1p(mean)
  // Rounding must not lift it over the predicted class.
  return Float(max(minimum, min(maximum, value)))
}

extension LogitTable {
  /// This table with the logits of every sample changed by `manipulation`, which the provenance then names
  /// (after earlier ones).
  ///
  /// - Throws: ``TemperError`` of kind `usage` if a temperature is not positive and finite.
  public func manipulated(by manipulation: Manipulation) throws -> LogitTable {
    if case .uniformNonMax(let temperature) = manipulation, !(temperature > 0 && temperature.isFinite) {
      throw TemperError(
        .usage, field: "temperature", "is \(temperature).", remedy: "Give a temperature above 0, such as 4.")
    }
    var result: [Float] = []
    result.reserveCapacity(logits.count)
    for index in 0..<sampleCount {
      var row = Array(row(index))
      manipulation.apply(to: &row, id: sampleIDs[index])
      result += row
    }
    var provenance = provenance
    let earlier = provenance[ProvenanceKey.manipulation].map { $0 + ", " } ?? ""
    provenance[ProvenanceKey.manipulation] = earlier + manipulation.description
    return LogitTable(
      unchecked: result, classCount: classCount, labels: labels, sampleIDs: sampleIDs,
      gapGradientNorms: nil, provenance: provenance)
  }
}
