import Foundation

/// The probability that the two-sided Kolmogorov-Smirnov statistic of `count` samples is above `x`.
///
/// The choice of the method by the size of the case is that of scipy, after Simard and L'Ecuyer, "Computing
/// the two-sided Kolmogorov-Smirnov distribution" (2011).
package func kolmogorovSurvival(_ x: Double, count: Int) -> Double {
  if x >= 1 { return 0 }
  let n = Double(count)
  let t = n * x
  if t <= 0.5 { return 1 }
  let square = t * x
  if x >= 0.5 || square > (count <= 140 ? 4 : 2.2) { return min(1, 2 * smirnovSurvival(x, count: count)) }
  let isExact = count <= 140 || (count <= 100_000 && t * x.squareRoot() <= 1.4)
  let below = isExact ? durbinCDF(x, count: count) : pelzGoodCDF(x, count: count)
  return max(0, min(1, 1 - below))
}

/// The probability that the one-sided statistic is above `x`: the finite sum of Smirnov, whose terms are
/// positive. Twice this is the two-sided tail, up to less than the rounding where it is used.
private func smirnovSurvival(_ x: Double, count: Int) -> Double {
  let n = Double(count)
  var sum = 0.0
  for j in 0...count {
    let step = Double(j)
    let (rest, base) = (1 - x - step / n, x + step / n)
    guard rest > 0 else { break }
    let logChoices = -log(n + 1) - Distributions.logBeta(n - step + 1, step + 1)
    sum += exp(logChoices + (n - step) * log(rest) + (step - 1) * log(base))
  }
  return x * sum
}

/// The exact distribution function: an entry of the n-th power of Durbin's matrix (Marsaglia, Tsang and Wang,
/// "Evaluating Kolmogorov's distribution", 2003).
private func durbinCDF(_ x: Double, count: Int) -> Double {
  let t = Double(count) * x
  let k = Int(t.rounded(.up))
  let size = 2 * k - 1
  var factor = (matrix: durbinMatrix(size, Double(k) - t), exponent: 0)
  var row = [Double](repeating: 0, count: size)
  row[k - 1] = 1
  var (exponent, bits) = (0, count)
  while bits > 0 {
    if bits & 1 == 1 {
      row = product(row, factor.matrix, size)
      exponent += factor.exponent
    }
    factor = (product(factor.matrix, factor.matrix, size), 2 * factor.exponent)
    if factor.matrix[(k - 1) * size + k - 1] > 0x1p128 {
      factor = (factor.matrix.map { $0 * 0x1p-128 }, factor.exponent + 128)
    }
    bits >>= 1
  }
  var result = row[k - 1]
  for i in 1...count {
    result *= Double(i) / Double(count)
    if result < 0x1p-128 { (result, exponent) = (result * 0x1p128, exponent - 128) }
  }
  return scalbn(result, exponent)
}

/// Durbin's matrix, (size, size) row-major, for a statistic that is `h` steps of 1 / n below a whole number
/// of them.
private func durbinMatrix(_ size: Int, _ h: Double) -> [Double] {
  var inverseFactorials = [1.0]
  for i in 1...size { inverseFactorials.append(inverseFactorials[i - 1] / Double(i)) }
  var matrix = [Double](repeating: 0, count: size * size)
  for i in 0..<size {
    for j in 0..<min(i + 2, size) { matrix[i * size + j] = inverseFactorials[i - j + 1] }
  }
  for i in 0..<size {
    let edge = (1 - pow(h, Double(i + 1))) * inverseFactorials[i + 1]
    matrix[i * size] = edge
    matrix[(size - 1) * size + size - 1 - i] = edge
  }
  let corner = 1 - 2 * pow(h, Double(size)) + pow(max(2 * h - 1, 0), Double(size))
  matrix[(size - 1) * size] = corner * inverseFactorials[size]
  return matrix
}

/// The product of `a` (rows, size) and `b` (size, size), row-major.
private func product(_ a: [Double], _ b: [Double], _ size: Int) -> [Double] {
  var result = [Double](repeating: 0, count: a.count)
  for row in stride(from: 0, to: a.count, by: size) {
    for i in 0..<size where a[row + i] != 0 {
      for j in 0..<size { result[row + j] += a[row + i] * b[i * size + j] }
    }
  }
  return result
}

/// The distribution function for large n, up to terms of n^-2 (Pelz and Good, "Approximating the lower
/// tail-areas of the Kolmogorov-Smirnov one-sample statistic", 1976), as sums that converge fast for small z
/// = x sqrt(n).
private func pelzGoodCDF(_ x: Double, count: Int) -> Double {
  let z = x * Double(count).squareRoot()
  let (z2, z4, z6, z8) = (z * z, pow(z, 4), pow(z, 6), pow(z, 8))
  let p2 = Double.pi * .pi
  var (k0, k1, k2, k3, k2Even, k3Even) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  for k in stride(from: (16 * z / .pi).rounded(.up), to: 0, by: -1) {
    let s = (2 * k - 1) * (2 * k - 1) * p2 / 4
    let weight = exp(-s / (2 * z2))
    k0 += weight
    k1 += weight * (s - z2)
    k2 += weight * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * s + (1 - 2 * z2) * s * s)
    let cubic = (5 - 30 * z2) * s * s * s + (212 * z4 - 60 * z2) * s * s
    k3 += weight * (cubic + (135 * z4 - 96 * z6) * s - 30 * z6 - 90 * z8)
    let even = k * k * p2
    let evenWeight = exp(-even / (2 * z2)) * even
    k2Even += evenWeight
    k3Even += evenWeight * (3 * z2 - even)
  }
  let root = Double(count).squareRoot()
  let second = k2 / (72 * pow(z, 7)) - k2Even / (36 * z * z2)
  let third = k3 / (6480 * pow(z, 10)) + k3Even / (216 * z6)
  let sum = k0 / z + k1 / (6 * z4 * root) + second / (root * root) + third / (root * root * root)
  return (2 * Double.pi).squareRoot() * sum
}
