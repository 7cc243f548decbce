import Devices

/// A convolution with ReLU and then a max pool of 2 x 2 with stride 2. Where tiles of the convolution hold whole
/// windows, what lies between the two is never written to memory.
///
/// - Parameters: see ``conv2d(_:_:bias:stride:padding:activation:)``.
/// - Returns: (N, outH / 2, outW / 2, K), bit for bit as `maxPool2d(conv2d(...), size: 2)`.
public func conv2dMaxPooled(
  _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, padding: Int = 0
) throws -> Tensor {
  let geometry = try ConvolutionGeometry(images: x.shape, weights: weight.shape, stride: 1, padding: padding)
  let window = PoolWindow(rows: 2, columns: 2, stride: 2, input: geometry.outputShape)
  var directions = [Convolution.Direction.forward]
  if x.isRecorded { directions.append(.inputGradient) }
  if weight.isRecorded { directions.append(.weightGradient) }
  guard window.isValid, try x.device.poolsInWinograd(geometry, directions) else {
    return try maxPool2d(conv2d(x, weight, bias: bias, padding: padding, activation: .relu), size: 2)
  }
  Workload.recorder?.add(geometry)
  let results = try PooledConvolution(geometry: geometry, window: window)(
    all: [x, weight] + (bias.map { [$0] } ?? []))
  var (y, winner) = (results[0], results[1])
  y.isRectified = true
  let pooled = y
  var inputs: [(Tensor, TapeNode.Pullback)] = [
    (
      x,
      { dy in
        let gradient = PooledConvolution.InputGradient(geometry: geometry, window: window)
        return try x.gradient(gradient, dy.masked(by: pooled), winner, weight)
      }
    ),
    (
      weight,
      { dy in
        let gradient = PooledConvolution.WeightGradient(geometry: geometry, window: window)
        return try gradient(x, dy.masked(by: pooled), winner)
      }
    ),
  ]
  // Each window has one gradient, before the pool as after it.
  if let bias { inputs.append((bias, { dy in try ColumnSums()(dy.masked(by: pooled)) })) }
  return y.recorded(from: inputs)
}

extension Device {
  /// Whether the tiles of a convolution can hold a max pool of 2 x 2 in the directions wanted.
  fileprivate func poolsInWinograd(
    _ geometry: ConvolutionGeometry, _ directions: [Convolution.Direction]
  ) throws -> Bool {
    switch self {
    case .cpu(let cpu): cpu.usesWinograd(geometry) && geometry.k % cpu.kernels.panelWidth == 0
    case .openCL(let openCL): try openCL.poolsInWinograd(geometry, directions)
    }
  }
}

/// What ``conv2dMaxPooled(_:_:bias:padding:)`` runs where it pays: the pooled result and the winners.
struct PooledConvolution: Operation {
  let geometry: ConvolutionGeometry
  let window: PoolWindow

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs.count < 3 || inputs[2].shape.count == geometry.k, "the bias does not fit", inputs)
    return [OutputSpec(window.output), OutputSpec(window.output, .uint8)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, weights) = (cpu.operand(inputs[0]), cpu.operand(inputs[1]))
    cpu.convolveWinograd(
      geometry, x.pointer, weights, into: outputs[0].pointer,
      bias: inputs.count > 2 ? UnsafePointer(inputs[2].pointer) : nil, relu: true,
      winners: outputs[1].bytePointer)
    withExtendedLifetime(x) {}
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try openCL.convolveWinogradCPU(
      geometry, inputs[0], inputs[1], bias: inputs.count > 2 ? inputs[2] : nil, relu: true, into: outputs[0],
      winners: outputs[1].buffer)
  }
}

extension PooledConvolution {
  /// dx from the gradient by the pooled result, masked by it, the winners and the weights; 0 where an optional fourth
  /// input, x as the output of a ReLU, is not positive.
  struct InputGradient: Operation {
    let geometry: ConvolutionGeometry
    let window: PoolWindow

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[0].shape == window.output, "dy does not fit", inputs)
      try require(inputs.count < 4 || inputs[3].shape == geometry.imageShape, "x does not fit", inputs)
      return [OutputSpec(geometry.imageShape)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (dy, weights) = (cpu.operand(inputs[0]), cpu.operand(inputs[2]))
      cpu.inputGradientWinograd(
        geometry, dy.pointer, winners: inputs[1].bytePointer, weights, into: outputs[0].pointer,
        mask: inputs.count > 3 ? UnsafePointer(inputs[3].pointer) : nil)
      withExtendedLifetime(dy) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.inputGradientWinogradCPU(
        geometry, inputs[0], winners: inputs[1].buffer, inputs[2], mask: inputs.count > 3 ? inputs[3] : nil,
        into: outputs[0])
    }
  }

  /// dW from x, the gradient by the pooled result, masked by it, and the winners.
  struct WeightGradient: Operation {
    let geometry: ConvolutionGeometry
    let window: PoolWindow

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[1].shape == window.output, "dy does not fit", inputs)
      return [OutputSpec(geometry.weightShape)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (x, dy) = (cpu.operand(inputs[0]), cpu.operand(inputs[1]))
      cpu.weightGradientWinograd(
        geometry, x.pointer, dy.pointer, winners: inputs[2].bytePointer, into: outputs[0].pointer)
      withExtendedLifetime((x, dy)) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.weightGradientWinogradCPU(
        geometry, inputs[0], inputs[1], winners: inputs[2].buffer, into: outputs[0])
    }
  }
}
