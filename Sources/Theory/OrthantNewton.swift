import Foundation

/// Newton's method for logistic regression against the exact Linf adversary.
///
/// The loss has kinks only where a weight is 0. Within the orthant of the weights' signs it is smooth: that
/// of logistic regression on the features x_j - epsilon sign_j. A step stays in the orthant; weights that
/// would leave it stop at 0 and may enter another one in the next step. A weight at 0 stays out of a step
/// when the subdifferential in its direction contains 0 (projected Newton: Bertsekas, "Projected Newton
/// methods for optimization problems with simple constraints", SIAM J. Control Optim. 1982).
struct OrthantNewton {
  let data: BinaryLogistic
  let epsilon: Double

  private static let tolerance = 1e-10
  private static let iterationLimit = 100

  /// Where one iteration starts.
  private struct Point {
    var weights: [Double]
    /// The sign of each weight's orthant; 0 for a weight that stays at 0.
    var signs: [Double]
    /// The smallest subgradient, (d).
    var gradient: [Double]
    /// sig(-u) of each sample, u being its margin under attack.
    var errors: [Double]
    var loss: Double
    var residual: Double { gradient.lazy.map { abs($0) }.max() ?? 0 }
  }

  /// The optimum with its residual, or nil if there is none or the limit of iterations is reached.
  func minimum() -> (weights: [Double], residual: Double)? {
    var weights = [Double](repeating: 0, count: data.featureCount)
    for _ in 0..<Self.iterationLimit {
      let margins = attackedMargins(weights)
      // Any factor above 1 would be better.
      if margins.allSatisfy({ $0 > 0 }) { return nil }
      let point = point(weights, margins)
      if point.residual <= Self.tolerance { return (weights, point.residual) }
      guard let step = solvePositiveDefinite(hessian(point), point.gradient),
        let next = descend(from: point, along: step.map { -$0 })
      else { return nil }
      weights = next
    }
    return nil
  }

  private func attackedMargins(_ weights: [Double]) -> [Double] {
    let loss = epsilon * weights.reduce(0) { $0 + abs($1) }
    return data.margins(weights).map { $0 - loss }
  }

  private func loss(_ margins: [Double]) -> Double {
    margins.reduce(0) { $0 + softplus(-$1) } / Double(margins.count)
  }

  private func point(_ weights: [Double], _ margins: [Double]) -> Point {
    let count = Double(data.sampleCount)
    let errors = margins.map { sigmoid(-$0) }
    let meanError = errors.reduce(0, +) / count
    let pull = weightedSum(errors).map { $0 / count }
    let signs = weights.indices.map { j -> Double in
      if weights[j] != 0 { return weights[j] > 0 ? 1 : -1 }
      return abs(pull[j]) <= epsilon * meanError ? 0 : pull[j] > 0 ? 1 : -1
    }
    let gradient = signs.indices.map { signs[$0] == 0 ? 0 : epsilon * meanError * signs[$0] - pull[$0] }
    return Point(weights: weights, signs: signs, gradient: gradient, errors: errors, loss: loss(margins))
  }

  /// The sum of label times features over the samples with these weights, (d).
  private func weightedSum(_ sampleWeights: [Double]) -> [Double] {
    var sum = [Double](repeating: 0, count: data.featureCount)
    data.samples.withUnsafeBufferPointer { samples in
      for (row, weight) in sampleWeights.enumerated() {
        for j in sum.indices { sum[j] += weight * samples[row * sum.count + j] }
      }
    }
    return sum
  }

  /// The Hessian within the orthant, (d, d), lower half; the identity for weights that stay at 0.
  private func hessian(_ point: Point) -> [Double] {
    let d = data.featureCount
    var result = [Double](repeating: 0, count: d * d)
    var moved = [Double](repeating: 0, count: d)
    data.samples.withUnsafeBufferPointer { samples in
      for (row, error) in point.errors.enumerated() {
        for j in 0..<d {
          moved[j] = point.signs[j] == 0 ? 0 : samples[row * d + j] - epsilon * point.signs[j]
        }
        let curvature = error * (1 - error) / Double(data.sampleCount)
        addSquare(of: moved, times: curvature, to: &result)
      }
    }
    for j in 0..<d where point.signs[j] == 0 { result[j * d + j] = 1 }
    return result
  }

  private func addSquare(of row: [Double], times factor: Double, to matrix: inout [Double]) {
    let d = row.count
    matrix.withUnsafeMutableBufferPointer { matrix in
      row.withUnsafeBufferPointer { row in
        for i in 0..<d {
          let scaled = factor * row[i]
          for j in 0...i { matrix[i * d + j] += scaled * row[j] }
        }
      }
    }
  }

  /// The first of the points at 1, 1/2, 1/4 ... of the step, clipped to the orthant, where the loss falls
  /// enough.
  private func descend(from point: Point, along step: [Double]) -> [Double]? {
    for halvings in 0..<60 {
      let length = pow(0.5, Double(halvings))
      let next = point.weights.indices.map { j -> Double in
        let moved = point.weights[j] + length * step[j]
        return moved * point.signs[j] > 0 ? moved : 0
      }
      let slope = next.indices.reduce(0) { $0 + point.gradient[$1] * (next[$1] - point.weights[$1]) }
      // Close to the optimum the change of the loss is smaller than its rounding.
      if loss(attackedMargins(next)) <= point.loss + 1e-4 * slope + 1e-14 { return next }
    }
    return nil
  }
}

/// Solves A x = b by Cholesky's method; A is (n, n) and only its lower half is read.
/// - Returns: x, or nil if A is not positive definite.
func solvePositiveDefinite(_ matrix: [Double], _ rightSide: [Double]) -> [Double]? {
  let n = rightSide.count
  var (l, x) = (matrix, rightSide)
  for i in 0..<n {
    for j in 0...i {
      let sum = (0..<j).reduce(l[i * n + j]) { $0 - l[i * n + $1] * l[j * n + $1] }
      if i == j {
        guard sum > 0 else { return nil }
        l[i * n + i] = sum.squareRoot()
      } else {
        l[i * n + j] = sum / l[j * n + j]
      }
    }
    x[i] = (0..<i).reduce(x[i]) { $0 - l[i * n + $1] * x[$1] } / l[i * n + i]
  }
  for i in (0..<n).reversed() {
    x[i] = (i + 1..<n).reduce(x[i]) { $0 - l[$1 * n + i] * x[$1] } / l[i * n + i]
  }
  return x
}
