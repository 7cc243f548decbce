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
  guard case .cpu(let cpu) = x.device, window.isValid, cpu.usesWinograd(geometry),
    geometry.k % cpu.kernels.panelWidth == 0
  else {
    return try maxPool2d(conv2d(x, weight, bias: bias, padding: padding, activation: .relu), size: 2)
  }
  let results = try PooledConvolution(geometry: geometry, window: window)(
    all: [x, weight] + (bias.map { [$0] } ?? []))
  var (y, winner) = (results[0], results[1])
  // The convolution's own result exists on the tape only: its gradient does not depend on it.
  let between = Tensor(shape: geometry.outputShape, buffer: try x.device.makeBuffer(byteCount: 4))
    .recorded(from: convolutionPullbacks(x, weight, bias, geometry))
  y.isRectified = true
  let pooled = y
  return y.recorded(from: [
    (between, { dy in try MaxPool.Gradient(window: window)(dy.masked(by: pooled), winner) })
  ])
}

/// What ``conv2dMaxPooled(_:_:bias:padding:)`` runs on the CPU: the pooled result and the winners.
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
    let y = try Convolution(geometry: geometry, relu: true)(all: inputs)
    try MaxPool(window: window).run(on: openCL, y, outputs)
  }
}
