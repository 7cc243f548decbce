import Devices

/// x + b over the last dimension, then the activation, in one pass.
///
/// - Parameters:
///   - x: (..., C).
///   - b: (C).
public func bias(_ x: Tensor, _ b: Tensor, activation: Activation = .identity) throws -> Tensor {
  try Bias(relu: activation == .relu)(x, b)
    .recorded(from: [(x, { $0 }), (b, { try ColumnSums()($0) })])
    .recorded(throughFused: activation)
}

/// x + b, then ReLU.
struct Bias: Operation {
  let relu: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[1].shape.count == inputs[0].shape[-1], "the bias does not fit", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, b, y) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
    let columns = inputs[1].shape.count
    cpu.parallelRanges(inputs[0].shape.count / columns, grain: CPU.elementwiseGrain / columns + 1) { rows in
      for row in rows {
        for j in 0..<columns {
          let v = x[row * columns + j] + b[j]
          y[row * columns + j] = relu && v < 0 ? 0 : v
        }
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "bias_add",
      [
        .int(count), .int(inputs[1].shape.count), .int(relu ? 1 : 0), .buffer(inputs[0].buffer),
        .buffer(inputs[1].buffer), .buffer(outputs[0].buffer),
      ], each: count)
  }
}
