import Devices

/// The convolutions shaped for GPUs.
extension OpenCL {
  /// Work items of a GPU-shaped product: work groups of 16 x 16 for tiles of 64 x 64.
  private func tiles(columns: Int, rows: Int) -> [Int] { [(columns + 63) / 64 * 16, (rows + 63) / 64 * 16] }

  func convolveGPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?, relu: Bool, into y: Tensor
  ) throws {
    try launch(
      "convolution_gpu",
      g.arguments + [
        .buffer(x.buffer), .buffer(weights.buffer), .optional(bias?.buffer), .int(relu ? 1 : 0),
        .buffer(y.buffer),
      ], global: tiles(columns: g.k, rows: g.n * g.outputHeight * g.outputWidth), local: [16, 16],
      flops: g.operations)
  }

  func convolveInputGradientGPU(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, into dx: Tensor
  ) throws {
    try launch(
      "convolution_input_gradient_gpu",
      g.arguments + [.buffer(dy.buffer), .buffer(weights.buffer), .buffer(dx.buffer)],
      global: tiles(columns: g.c, rows: g.n * g.h * g.w), local: [16, 16], flops: g.operations)
  }

  /// Partial sums over chunks of pixels, added in order.
  func convolveWeightGradientGPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    let count = g.weightShape.count
    let pixels = g.n * g.outputHeight * g.outputWidth
    let chunk = max(512, (pixels + 31) / 32)
    let chunks = (pixels + chunk - 1) / chunk
    let partial = try Tensor(uninitialized: [chunks, count], on: .openCL(self))
    try launch(
      "convolution_weight_gradient_gpu",
      g.arguments + [.int(chunk), .buffer(x.buffer), .buffer(dy.buffer), .buffer(partial.buffer)],
      global: tiles(columns: g.k, rows: g.r * g.s * g.c) + [chunks], local: [16, 16, 1],
      flops: g.operations)
    try sumPartials(partial, chunks: chunks, count: count, into: dw)
  }

  /// c (m, n) = a b + bias, then ReLU.
  func multiplyGPU(
    _ a: StridedMatrix, _ b: StridedMatrix, rows m: Int, columns n: Int, depth k: Int, bias: Buffer?,
    relu: Bool,
    into c: Buffer
  ) throws {
    try launch(
      "matmul_gpu",
      [.int(m), .int(n), .int(k)] + a.arguments + b.arguments
        + [.optional(bias), .int(relu ? 1 : 0), .buffer(c)],
      global: tiles(columns: n, rows: m), local: [16, 16], flops: 2 * m * n * k)
  }
}

extension ConvolutionGeometry {
  /// The arguments that every GPU-shaped convolution begins with.
  fileprivate var arguments: [KernelArgument] {
    [n, h, w, c, outputHeight, outputWidth, k, r, s, stride, padding].map { .int($0) }
  }
}
