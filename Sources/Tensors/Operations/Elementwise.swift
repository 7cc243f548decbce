import Devices

/// a + b, elementwise; equal shapes; then the activation.
public func add(_ a: Tensor, _ b: Tensor, activation: Activation = .identity) throws -> Tensor {
  try Pairwise(kind: activation == .relu ? .addRectified : .add)(a, b)
    .recorded(from: [(a, { $0 }), (b, { $0 })]).recorded(throughFused: activation)
}

/// a - b, elementwise; equal shapes.
public func subtract(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  try Pairwise(kind: .subtract)(a, b).recorded(from: [(a, { $0 }), (b, { try Scale(factor: -1)($0) })])
}

/// a * b, elementwise; equal shapes.
public func multiply(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  let product = Pairwise(kind: .multiply)
  let (x, y) = (a.detached(), b.detached())
  return try product(a, b).recorded(from: [(a, { try product($0, y) }), (b, { try product($0, x) })])
}

/// x * factor, elementwise; any shape.
public func scale(_ x: Tensor, by factor: Float) throws -> Tensor {
  let scale = Scale(factor: factor)
  return try scale(x).recorded(from: [(x, { try scale($0) })])
}

/// x clipped to a range, elementwise. The gradient is 1 inside, bounds included, and 0 outside.
public func clamp(_ x: Tensor, _ range: ClosedRange<Float>) throws -> Tensor {
  let input = x.detached()
  return try Clamp(range: range)(x).recorded(from: [(x, { try Clamp.Gradient(range: range)(input, $0) })])
}

/// One operation on pairs of elements.
struct Pairwise: Operation {
  enum Kind: String {
    case add, subtract, multiply
    case addRectified = "add_rectified"
    case squaredDifference = "squared_difference"
  }
  let kind: Kind

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape == inputs[1].shape, "the shapes differ", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (a, b, c) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
    let count = outputs[0].shape.count
    switch kind {
    case .add:
      cpu.elementwise(count) {
        (SIMD8(at: a + $0) + SIMD8(at: b + $0)).store(to: c + $0)
      } scalar: {
        c[$0] = a[$0] + b[$0]
      }
    case .addRectified:
      cpu.elementwise(count) {
        let sum = SIMD8(at: a + $0) + SIMD8(at: b + $0)
        sum.replacing(with: 0, where: sum .< 0).store(to: c + $0)
      } scalar: {
        let sum = a[$0] + b[$0]
        c[$0] = sum < 0 ? 0 : sum
      }
    case .subtract:
      cpu.elementwise(count) {
        (SIMD8(at: a + $0) - SIMD8(at: b + $0)).store(to: c + $0)
      } scalar: {
        c[$0] = a[$0] - b[$0]
      }
    case .multiply:
      cpu.elementwise(count) {
        (SIMD8(at: a + $0) * SIMD8(at: b + $0)).store(to: c + $0)
      } scalar: {
        c[$0] = a[$0] * b[$0]
      }
    case .squaredDifference:
      cpu.parallelRanges(count, grain: CPU.elementwiseGrain) { range in
        for i in range { c[i] = (a[i] - b[i]) * (a[i] - b[i]) }
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      kind.rawValue,
      [.int(count), .buffer(inputs[0].buffer), .buffer(inputs[1].buffer), .buffer(outputs[0].buffer)],
      each: count)
  }
}

/// x * factor.
struct Scale: Operation {
  let factor: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y) = (inputs[0].pointer, outputs[0].pointer)
    cpu.elementwise(outputs[0].shape.count) {
      (SIMD8(at: x + $0) * factor).store(to: y + $0)
    } scalar: {
      y[$0] = x[$0] * factor
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "scale", [.int(count), .float(factor), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer)],
      each: count)
  }
}

/// x times a scalar tensor times a constant: how an upstream gradient reaches a stored gradient without leaving
/// the device. Inputs: x, scalar.
struct ScaleByScalar: Operation {
  let constant: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y) = (inputs[0].pointer, outputs[0].pointer)
    let factor = inputs[1].pointer[0] * constant
    cpu.elementwise(outputs[0].shape.count) {
      (SIMD8(at: x + $0) * factor).store(to: y + $0)
    } scalar: {
      y[$0] = x[$0] * factor
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "scale_by_scalar",
      [
        .int(count), .float(constant), .buffer(inputs[1].buffer), .buffer(inputs[0].buffer),
        .buffer(outputs[0].buffer),
      ], each: count)
  }
}

/// x clipped to a range.
struct Clamp: Operation {
  let range: ClosedRange<Float>

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y) = (inputs[0].pointer, outputs[0].pointer)
    cpu.parallelRanges(outputs[0].shape.count, grain: CPU.elementwiseGrain) { indices in
      for i in indices {
        y[i] = x[i] < range.lowerBound ? range.lowerBound : x[i] > range.upperBound ? range.upperBound : x[i]
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "clamp_values",
      [
        .int(count), .float(range.lowerBound), .float(range.upperBound), .buffer(inputs[0].buffer),
        .buffer(outputs[0].buffer),
      ], each: count)
  }

  /// dy where x is inside the range. Inputs: x, dy.
  struct Gradient: Operation {
    let range: ClosedRange<Float>

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (x, dy, dx) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
      cpu.parallelRanges(outputs[0].shape.count, grain: CPU.elementwiseGrain) { indices in
        for i in indices { dx[i] = range.contains(x[i]) ? dy[i] : 0 }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let count = outputs[0].shape.count
      try openCL.launch(
        "clamp_gradient",
        [
          .int(count), .float(range.lowerBound), .float(range.upperBound), .buffer(inputs[0].buffer),
          .buffer(inputs[1].buffer), .buffer(outputs[0].buffer),
        ], each: count)
    }
  }
}
