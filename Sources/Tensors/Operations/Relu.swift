import Devices

/// What follows a layer's sum, computed in the same pass.
public enum Activation: Sendable { case identity, relu }

/// max(x, 0), elementwise; any shape. The gradient at 0 is 0.
public func relu(_ x: Tensor) throws -> Tensor {
  try Relu()(x).recorded(from: [(x, { $0 })]).recorded(throughFused: .relu)
}

extension Tensor {
  /// Records the gradient of an activation that was computed inside the operation that made this tensor.
  func recorded(throughFused activation: Activation) -> Tensor {
    guard activation == .relu else { return self }
    let output = detached()
    var result = recorded(from: [(self, { dy in try dy.masked(by: output) })])
    result.isRectified = true
    return result
  }

  /// This gradient where a ReLU's output is positive and 0 elsewhere; itself if it is so already.
  func masked(by output: Tensor) throws -> Tensor {
    guard maskedBy !== output.buffer else { return self }
    return try Relu.Gradient()(output, self).marked(maskedBy: output)
  }

  /// This gradient by `output`, to which the gradient of the ReLU that made it has been applied.
  func marked(maskedBy output: Tensor) -> Tensor {
    var result = self
    result.maskedBy = output.buffer
    return result
  }

  /// A gradient by this tensor, made by an operation that takes a ReLU's output as an optional last input.
  func gradient(_ operation: some Operation, _ inputs: Tensor...) throws -> Tensor {
    guard isRectified else { return try operation(all: inputs)[0] }
    let output = detached()
    return try operation(all: inputs + [output])[0].marked(maskedBy: output)
  }
}

/// max(x, 0).
struct Relu: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y) = (inputs[0].pointer, outputs[0].pointer)
    cpu.elementwise(outputs[0].shape.count) { i in
      let v = SIMD8<Float>(at: x + i)
      v.replacing(with: 0, where: v .< 0).store(to: y + i)
    } scalar: { i in
      y[i] = x[i] < 0 ? 0 : x[i]
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "relu", [.int(count), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer)], each: count)
  }

  /// dx = dy where the output is positive, else 0. Inputs: output, dy.
  struct Gradient: Operation {
    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[0].shape == inputs[1].shape, "the shapes differ", inputs)
      return [OutputSpec(inputs[0].shape)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (y, dy, dx) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
      cpu.elementwise(outputs[0].shape.count) { i in
        SIMD8<Float>.zero.replacing(with: .init(at: dy + i), where: .init(at: y + i) .> 0).store(to: dx + i)
      } scalar: { i in
        dx[i] = y[i] > 0 ? dy[i] : 0
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let count = outputs[0].shape.count
      try openCL.launch(
        "relu_gradient",
        [.int(count), .buffer(inputs[0].buffer), .buffer(inputs[1].buffer), .buffer(outputs[0].buffer)],
        each: count)
    }
  }
}
