import Foundation
import TestSupport
import Testing

/// Extents of a matrix of logits: 1, 2, primes, and the extents minus one, plus one around work groups and
/// vectors of the kernels.
struct RowCase: CustomTestStringConvertible {
  let rows, columns: Int
  var testDescription: String { "\(rows)x\(columns)" }

  static let all: [RowCase] = {
    let fixed = [
      (1, 1), (1, 2), (2, 1), (2, 3), (3, 10), (5, 7), (4, 15), (4, 16), (4, 17), (7, 31), (2, 65),
    ]
    let large =
      isUnderOclgrind
      ? [] : [(257, 10), (31, 33), (33, 32), (3, 127), (2, 128), (2, 129), (2, 257), (1, 521)]
    return (fixed + large).map { RowCase(rows: $0.0, columns: $0.1) }
  }()

  /// Cases with a second column.
  static let pairs = all.filter { $0.columns > 1 }

  /// Logits of different spreads: the second row's would overflow without the shift by the maximum, the third
  /// row's are large and close together.
  func logits(_ random: inout Seeded) -> [Float] {
    var values = random.floats(rows * columns, in: -4...4)
    for k in 0..<columns where rows > 1 { values[columns + k] *= 30 }
    for k in 0..<columns where rows > 2 { values[2 * columns + k] += 1000 }
    return values
  }

  /// One row in Double.
  func row(_ index: Int, of values: [Float]) -> [Double] {
    values[index * columns..<(index + 1) * columns].map(Double.init)
  }

  /// Rounding of sums of K positive terms, and a few units for exp, log and the shift.
  var factor: Double { 2 * Double(columns).squareRoot() + 10 }

  /// The derivative of a function of each row by central differences, with 1 + the row's spread as magnitude.
  func gradient(_ values: [Float], scale: Double, of loss: (Int, [Double]) -> Double) -> Reference {
    let step = 1e-4
    var reference = Reference(count: rows * columns)
    for index in 0..<rows {
      var z = row(index, of: values)
      let spread = 1 + z.max()! - z.min()!
      for k in 0..<columns {
        let middle = z[k]
        z[k] = middle + step
        let above = loss(index, z)
        z[k] = middle - step
        let below = loss(index, z)
        z[k] = middle
        reference.values[index * columns + k] = scale * (above - below) / (2 * step)
        reference.magnitudes[index * columns + k] = abs(scale) * spread
      }
    }
    return reference
  }
}

/// log softmax in Double.
func logSoftmax(_ z: [Double], temperature: Double = 1) -> [Double] {
  let maximum = z.max()!
  let sum = z.map { exp(($0 - maximum) / temperature) }.reduce(0, +)
  return z.map { ($0 - maximum) / temperature - log(sum) }
}
