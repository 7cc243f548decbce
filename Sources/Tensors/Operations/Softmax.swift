import Devices
import Foundation

/// exp(x / T) / sum(exp(x / T)) of each row of (N, K), computed after subtracting the row's largest value.
public func softmax(_ x: Tensor, temperature: Float = 1) throws -> Tensor {
  try softmax(x, Softmax(inverseTemperature: 1 / temperature, isLogarithm: false))
}

/// The logarithm of softmax of each row of (N, K).
public func logSoftmax(_ x: Tensor) throws -> Tensor {
  try softmax(x, Softmax(inverseTemperature: 1, isLogarithm: true))
}

private func softmax(_ x: Tensor, _ operation: Softmax) throws -> Tensor {
  let y = try operation(x)
  return y.recorded(from: [(x, { dy in try Softmax.Gradient(of: operation)(y, dy) })])
}

/// Softmax or its logarithm.
struct Softmax: Operation {
  let inverseTemperature: Float
  let isLogarithm: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(
      inverseTemperature > 0 && inverseTemperature.isFinite, "the temperature is not above 0", inputs)
    try require(inputs[0].shape.rank == 2 && inputs[0].shape[1] > 0, "needs (N, K)", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    cpu.rows(inputs[0]) { row, z, k in
      let y = outputs[0].pointer + row * k
      let rowSoftmax = RowSoftmax(z, k, inverseTemperature)
      for j in 0..<k {
        let v = rowSoftmax.logProbability(z[j])
        y[j] = isLogarithm ? v : exp(v)
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
    try openCL.launchLogits(
      "softmax_rows",
      [
        .int(n), .int(k), .float(inverseTemperature), .int(isLogarithm ? 1 : 0), .buffer(inputs[0].buffer),
        .buffer(outputs[0].buffer),
      ], rows: n, columns: k)
  }

  /// dx from y and dy: y (dy - sum(y dy)) / T, for the logarithm dy - exp(y) sum(dy).
  struct Gradient: Operation {
    let of: Softmax

    init(of operation: Softmax) { of = operation }

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      cpu.rows(inputs[0]) { row, y, k in
        let (dy, dx) = (inputs[1].pointer + row * k, outputs[0].pointer + row * k)
        var sum: Float = 0
        for j in 0..<k { sum += of.isLogarithm ? dy[j] : y[j] * dy[j] }
        for j in 0..<k {
          dx[j] = (of.isLogarithm ? dy[j] - exp(y[j]) * sum : y[j] * (dy[j] - sum)) * of.inverseTemperature
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
      try openCL.launchLogits(
        "softmax_gradient",
        [
          .int(n), .int(k), .float(of.inverseTemperature), .int(of.isLogarithm ? 1 : 0),
          .buffer(inputs[0].buffer),
          .buffer(inputs[1].buffer), .buffer(outputs[0].buffer),
        ], rows: n, columns: k)
    }
  }
}

/// The log-softmax of one row at a temperature. The largest logit's own exponential, 1, stays out of the sum:
/// log1p then keeps the tiny loss of a confident sample, which 1 + rest would round away.
struct RowSoftmax {
  private let largest: Float
  private let logSum: Float
  private let inverseTemperature: Float

  @inline(__always)
  init(_ z: UnsafePointer<Float>, _ count: Int, _ inverseTemperature: Float = 1) {
    var best = 0
    for j in 1..<max(1, count) where z[j] > z[best] { best = j }
    let largest = z[best]
    var rest: Float = 0
    for j in 0..<count where j != best { rest += exp((z[j] - largest) * inverseTemperature) }
    self.largest = largest
    self.logSum = log1p(rest)
    self.inverseTemperature = inverseTemperature
  }

  @inline(__always)
  func logProbability(_ logit: Float) -> Float { (logit - largest) * inverseTemperature - logSum }
}

extension CPU {
  /// Calls `body` for each row of (N, K) with its number, its address and K, on all threads.
  func rows(_ x: Tensor, _ body: (Int, UnsafeMutablePointer<Float>, Int) -> Void) {
    let k = x.shape[1]
    parallelRanges(x.shape[0], grain: max(1, 1024 / max(1, k))) { range in
      for row in range { body(row, x.pointer + row * k, k) }
    }
  }
}
