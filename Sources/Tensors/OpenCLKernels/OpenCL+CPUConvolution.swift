import Devices

/// Products and convolutions shaped for CPU runtimes.
extension OpenCL {
  /// Columns of a panel and rows of a tile (PANEL and ROWS in product_cpu.cl).
  private static let panel = 32
  private static let rows = 8

  func multiplyCPU(
    _ a: StridedMatrix, _ b: StridedMatrix, rows m: Int, columns n: Int, depth k: Int, bias: Buffer?,
    relu: Bool,
    into c: Buffer
  ) throws {
    let panels = (n + Self.panel - 1) / Self.panel
    let packed = try b.buffer.derived("matmul \(b.rowStride) \(b.columnStride)") {
      let packed = try makeBuffer(byteCount: max(1, panels * k * Self.panel) * 4)
      try launch(
        "matmul_pack_cpu", [.int(k), .int(n)] + b.arguments + [.buffer(packed)],
        global: [Self.panel, k, panels], local: [Self.panel, 1, 1])
      return packed
    }
    try launch(
      "matmul_cpu",
      [.int(m), .int(n), .int(k)] + a.arguments
        + [.buffer(packed), .optional(bias), .int(relu ? 1 : 0), .buffer(c)],
      global: [(m + Self.rows - 1) / Self.rows, panels], local: [1, 1])
  }

  func convolveCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?, relu: Bool, into y: Tensor
  ) throws {
    let padded = try pad(
      x, g.imageShape, height: g.h + 2 * g.padding, width: g.w + 2 * g.padding, offset: (g.padding, g.padding)
    )
    try convolvePadded(
      padded, g, try panels(of: weights, rotated: false),
      [.optional(bias?.buffer), .int(relu ? 1 : 0), .buffer(y.buffer)], y.shape)
  }

  /// The convolution of images that have their padding in memory.
  private func convolvePadded(
    _ x: Tensor, _ g: ConvolutionGeometry, _ panels: Buffer, _ end: [KernelArgument], _ y: Shape
  ) throws {
    try launch(
      "convolution_cpu",
      [
        .int(x.shape[1]), .int(x.shape[2]), .int(g.c), .int(y[1]), .int(y[2]), .int(g.k), .int(g.r),
        .int(g.s),
        .int(g.stride), .buffer(x.buffer), .buffer(panels),
      ] + end,
      global: [
        (y[2] + Self.rows - 1) / Self.rows, g.n * y[1], (g.k + Self.panel - 1) / Self.panel,
      ], local: [1, 1, 1])
  }

  /// A convolution of dy, spread by the stride and padded, with rotated weights.
  func convolveInputGradientCPU(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, into dx: Tensor
  ) throws {
    let spread = try pad(
      dy, g.outputShape, height: g.h + g.r - 1, width: g.w + g.s - 1,
      offset: (g.r - 1 - g.padding, g.s - 1 - g.padding), dilation: g.stride)
    let transposed = try ConvolutionGeometry(
      images: spread.shape, weights: [g.r, g.s, g.k, g.c], stride: 1, padding: 0)
    try convolvePadded(
      spread, transposed, try panels(of: weights, rotated: true), [.none, .int(0), .buffer(dx.buffer)],
      g.imageShape)
  }

  /// Partial sums over chunks of images, added in order.
  func convolveWeightGradientCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    let count = g.weightShape.count
    let pixels = g.n * g.outputHeight * g.outputWidth
    let chunk = max(1, (g.n + 15) / 16)
    let chunks = (g.n + chunk - 1) / chunk
    let partial = try Tensor(uninitialized: [chunks, count], on: .openCL(self))
    let panels = (g.k + Self.panel - 1) / Self.panel
    let padded = try pad(
      x, g.imageShape, height: g.h + 2 * g.padding, width: g.w + 2 * g.padding, offset: (g.padding, g.padding)
    )
    let packed = try Tensor(uninitialized: [panels, pixels, Self.panel], on: .openCL(self))
    try launch(
      "matmul_pack_cpu",
      [.int(pixels), .int(g.k), .buffer(dy.buffer), .int(g.k), .int(1), .buffer(packed.buffer)],
      global: [Self.panel, pixels, panels], local: [Self.panel, 1, 1])
    try launch(
      "convolution_weight_gradient_cpu",
      [
        .int(g.n), .int(padded.shape[1]), .int(padded.shape[2]), .int(g.c), .int(g.outputHeight),
        .int(g.outputWidth), .int(g.k), .int(g.r), .int(g.s), .int(g.stride), .int(chunk),
        .buffer(padded.buffer), .buffer(packed.buffer), .buffer(partial.buffer),
      ], global: [g.r * g.s * ((g.c + Self.rows - 1) / Self.rows), panels, chunks], local: [1, 1, 1])
    try sumPartials(partial, chunks: chunks, count: count, into: dw)
  }

  /// Images in a frame of zeros, spread by `dilation`; the images themselves if nothing changes.
  private func pad(
    _ x: Tensor, _ shape: Shape, height: Int, width: Int, offset: (y: Int, x: Int), dilation: Int = 1
  ) throws -> Tensor {
    if height == shape[1], width == shape[2], offset == (0, 0), dilation == 1 { return x }
    let padded = try Tensor(uninitialized: [shape[0], height, width, shape[3]], on: .openCL(self))
    try launch(
      "pad_images",
      [
        .int(shape[1]), .int(shape[2]), .int(shape[3]), .int(height), .int(width), .int(offset.y),
        .int(offset.x),
        .int(dilation), .buffer(x.buffer), .buffer(padded.buffer),
      ], global: [width * shape[3], height, shape[0]])
    return padded
  }

  /// Weights in panels of 32 columns, kept for parameters until they change.
  private func panels(of weights: Tensor, rotated: Bool) throws -> Buffer {
    let (r, s, c, k) = (weights.shape[0], weights.shape[1], weights.shape[2], weights.shape[3])
    let depth = r * s * (rotated ? k : c)
    let panels = ((rotated ? c : k) + Self.panel - 1) / Self.panel
    return try weights.buffer.derived("conv rotated \(rotated)") {
      let packed = try makeBuffer(byteCount: max(1, panels * depth * Self.panel) * 4)
      try launch(
        "convolution_pack_cpu",
        [.int(r * s), .int(c), .int(k), .int(rotated ? 1 : 0), .buffer(weights.buffer), .buffer(packed)],
        global: [Self.panel, depth, panels], local: [Self.panel, 1, 1])
      return packed
    }
  }
}
