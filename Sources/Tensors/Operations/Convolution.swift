import Devices

/// A two-dimensional convolution (cross-correlation, as in every framework) in one pass with bias and
/// activation.
///
/// - Parameters:
///   - x: images (N, H, W, C).
///   - weight: (R, S, C, K).
///   - bias: (K), or nil.
///   - stride: step of the window, in both directions.
///   - padding: zeros on every side.
/// - Returns: (N, (H + 2 padding - R) / stride + 1, (W + 2 padding - S) / stride + 1, K).
public func conv2d(
  _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0,
  activation: Activation = .identity
) throws -> Tensor {
  let geometry = try ConvolutionGeometry(
    images: x.shape, weights: weight.shape, stride: stride, padding: padding)
  Workload.recorder?.add(geometry)
  let forward = Convolution(geometry: geometry, relu: activation == .relu)
  let y = try forward(all: [x, weight] + (bias.map { [$0] } ?? []))[0]
  return y.recorded(from: convolutionPullbacks(x, weight, bias, geometry)).recorded(throughFused: activation)
}

/// The gradients of a convolution by its inputs.
func convolutionPullbacks(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ geometry: ConvolutionGeometry
) -> [(Tensor, TapeNode.Pullback)] {
  var inputs: [(Tensor, TapeNode.Pullback)] = [
    (x, { dy in try x.gradient(Convolution.InputGradient(geometry: geometry), dy, weight) }),
    (weight, { dy in try Convolution.WeightGradient(geometry: geometry)(x, dy) }),
  ]
  if let bias { inputs.append((bias, { dy in try ColumnSums()(dy) })) }
  return inputs
}

/// y = conv(x, weight), with an optional third input (K) added to every pixel, and ReLU.
package struct Convolution: Operation {
  let geometry: ConvolutionGeometry
  var relu = false

  package func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs.count < 3 || inputs[2].shape.count == geometry.k, "the bias does not fit", inputs)
    return [OutputSpec(geometry.outputShape)]
  }

  package func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let epilogue = Epilogue(bias: inputs.count > 2 ? UnsafePointer(inputs[2].pointer) : nil, relu: relu)
    let (images, weights, geometry) = try cpu.factors(inputs[0], inputs[1], self.geometry)
    let (x, y) = (images.pointer, outputs[0].pointer)
    if geometry.isPointwise {
      let packed = PackedMatrix.of(
        weights, key: "pointwise", depth: geometry.c, columns: geometry.k, rowStride: geometry.k,
        transposed: false, isPaired: geometry.isPaired, on: cpu)
      cpu.multiply(
        LeftMatrix(pointer: x, stride: geometry.c, transposed: false), packed,
        rows: geometry.n * geometry.h * geometry.w, into: y, epilogue: epilogue)
    } else if cpu.usesWinograd(geometry) {
      cpu.convolveWinograd(geometry, x, weights, into: y, bias: epilogue.bias, relu: relu)
    } else if let kernels = cpu.winogradOfColors(geometry) {
      cpu.convolveColors(kernels, geometry, x, weights, into: y, bias: epilogue.bias, relu: relu)
    } else {
      cpu.convolve(geometry, x, .forward(weights, on: cpu), into: y, epilogue: epilogue)
    }
    withExtendedLifetime(images) {}
  }

  package func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try openCL.convolve(
      geometry, inputs[0], inputs[1], bias: inputs.count > 2 ? inputs[2] : nil, relu: relu, into: outputs[0])
  }
}

extension Convolution {
  /// dx from dy (N, outH, outW, K) and the weights; 0 where an optional third input, x as the output of a ReLU,
  /// is not positive.
  struct InputGradient: Operation {
    let geometry: ConvolutionGeometry

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[0].shape == geometry.outputShape, "dy does not fit", inputs)
      try require(inputs.count < 3 || inputs[2].shape == geometry.imageShape, "x does not fit", inputs)
      return [OutputSpec(geometry.imageShape)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (dy, weights, geometry) = try cpu.gradientFactors(inputs[0], inputs[1], self.geometry)
      try cpu.convolveInputGradient(
        geometry, dy.pointer, weights, into: outputs[0].pointer,
        mask: inputs.count > 2 ? UnsafePointer(inputs[2].pointer) : nil)
      withExtendedLifetime((dy, weights)) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.convolveInputGradient(
        geometry, inputs[0], inputs[1], mask: inputs.count > 2 ? inputs[2] : nil, into: outputs[0])
    }
  }

  /// dW from x and dy.
  struct WeightGradient: Operation {
    let geometry: ConvolutionGeometry

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[1].shape == geometry.outputShape, "dy does not fit", inputs)
      return [OutputSpec(geometry.weightShape)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (x, dy) = (cpu.operand(inputs[0]), cpu.operand(inputs[1]))
      cpu.convolveWeightGradient(geometry, x.pointer, dy.pointer, into: outputs[0].pointer)
      withExtendedLifetime((x, dy)) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.convolveWeightGradient(geometry, inputs[0], inputs[1], into: outputs[0])
    }
  }

  /// What is computed: y, dx or dW.
  package enum Direction: String, CaseIterable, Sendable {
    case forward
    case inputGradient = "input gradient"
    case weightGradient = "weight gradient"
  }

  /// One direction without a tape; for benchmarks.
  package static func run(
    _ direction: Direction, _ geometry: ConvolutionGeometry, _ x: Tensor, _ weight: Tensor, _ dy: Tensor
  ) throws -> Tensor {
    switch direction {
    case .forward: try Convolution(geometry: geometry)(x, weight)
    case .inputGradient: try InputGradient(geometry: geometry)(dy, weight)
    case .weightGradient: try WeightGradient(geometry: geometry)(x, dy)
    }
  }

  /// Both gradients for an upstream gradient, without a tape; for tests and benchmarks.
  /// - Parameter mask: a ReLU's output in the place of x: dx is 0 where it is not positive.
  package static func gradients(
    _ x: Tensor, _ weight: Tensor, _ dy: Tensor, _ geometry: ConvolutionGeometry, mask: Tensor? = nil
  ) throws -> (x: Tensor, w: Tensor) {
    let inputs = [dy, weight] + (mask.map { [$0] } ?? [])
    return (
      try InputGradient(geometry: geometry)(all: inputs)[0], try WeightGradient(geometry: geometry)(x, dy)
    )
  }
}
