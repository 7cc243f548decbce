import Devices

/// Convolutions shaped for CPU runtimes; see `convolution_cpu.cl`.
extension OpenCL {
  /// - Parameter kernels: the choice of ``cpuKernels(_:_:)``, as below.
  func convolveCPU(
    _ kernels: CPUConvolutionKernels, _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?,
    relu: Bool, into y: Tensor
  ) throws {
    switch kernels {
    case .winograd: try convolveWinogradCPU(g, x, weights, bias: bias, relu: relu, into: y)
    case .winogradOfColors: try convolveColors(g, x, weights, bias: bias, relu: relu, into: y)
    case .product:
      try multiplyCPU(
        StridedMatrix(x.buffer, columns: g.c), StridedMatrix(weights.buffer, columns: g.k),
        rows: g.n * g.h * g.w,
        columns: g.k, depth: g.c, bias: bias?.buffer, relu: relu, into: y.buffer)
    case .direct:
      let taps = DirectTaps(rows: g.r, columns: g.s, first: (0, 0), step: 1)
      let pass = DirectPass(
        images: x, outputHeight: g.outputHeight, outputWidth: g.outputWidth, stride: g.stride,
        padding: (g.padding, g.padding), offset: (0, 0), spread: 1)
      try convolveDirectly(
        pass, taps, weights, transposed: false, bias: bias, relu: relu, into: y,
        defines: directMacros(.forward, g))
    default: preconditionFailure("\(kernels) compute no forward convolution")
    }
  }

  func convolveInputGradientCPU(
    _ kernels: CPUConvolutionKernels, _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor,
    mask: Tensor?,
    into dx: Tensor
  ) throws {
    switch kernels {
    case .winograd, .winogradByImages:
      return try inputGradientWinogradCPU(g, dy, weights, mask: mask, into: dx)
    case .gathered: return try inputGradientByGathering(g, dy, weights, mask: mask, into: dx)
    case .scattered: return try inputGradientByScatter(g, dy, weights, mask: mask, into: dx)
    case .product:
      try multiplyCPU(
        StridedMatrix(dy.buffer, columns: g.k), StridedMatrix(weights.buffer, columns: g.k, transposed: true),
        rows: g.n * g.h * g.w, columns: g.c, depth: g.k, bias: nil, relu: false, into: dx.buffer)
    case .direct: try inputGradientByPhases(g, dy, weights, into: dx)
    default: preconditionFailure("\(kernels) compute no input gradient")
    }
    if let mask { try Relu.Gradient().run(on: self, [mask, dx], [dx]) }
  }

  /// Whether the taps of all channels fill few panels: so it is in first layers.
  func usesScatter(_ g: ConvolutionGeometry) -> Bool {
    g.r * g.s * g.c <= 2 * panel && g.r * g.s > 1 && g.outputWidth >= tileHeight && fits(scatterFloats(g))
  }

  private func scatterFloats(_ g: ConvolutionGeometry) -> Int {
    (g.h + 2 * g.padding) * (g.w + 2 * g.padding) * g.c + g.outputWidth * panels(g.r * g.s * g.c) * panel
  }

  /// Each pixel of dy times the taps of all channels, added to the pixels that these reach.
  private func inputGradientByScatter(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, mask: Tensor?, into dx: Tensor
  ) throws {
    let taps = g.r * g.s * g.c
    let panels = try weights.buffer.derived("scatter") {
      try packPanels(
        StridedMatrix(weights.buffer, columns: g.k, transposed: true), depth: g.k, columns: taps)
    }
    let extents = [g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.r, g.s, g.stride, g.padding]
    try launchTasks(
      "convolution_scatter_cpu",
      extents.map { .int($0) } + [
        .buffer(dy.buffer), .buffer(panels), .optional(mask?.buffer), .buffer(dx.buffer),
      ], tasks: [g.n], scratch: scatterFloats(g), defines: directMacros(.inputGradient, g),
      flops: g.operations)
  }

  /// Images of one or three channels, row by row.
  private func inputGradientByGathering(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, mask: Tensor?, into dx: Tensor
  ) throws {
    try launchTasks(
      "convolution_gather_cpu",
      [g.h, g.w, g.outputHeight, g.outputWidth, g.k, g.padding].map { .int($0) } + [
        .buffer(dy.buffer), .buffer(weights.buffer), .optional(mask?.buffer), .buffer(dx.buffer),
      ], tasks: [g.n], scratch: gatherFloats(g), defines: directMacros(.inputGradient, g),
      flops: g.operations)
  }

  /// As on the CPU path, where the weights of a row of taps fit the registers.
  func usesGather(_ g: ConvolutionGeometry) -> Bool {
    vectorWidth == 16 && g.gathersInputGradient(vector: vectorWidth) && fits(gatherFloats(g))
  }

  private func gatherFloats(_ g: ConvolutionGeometry) -> Int { vectorWidth * g.c * (g.outputWidth + 2) }

  /// With stride s, s * s convolutions of dy: pixel (py + s i, px + s j) of dx sees the taps congruent to
  /// (py + padding, px + padding).
  private func inputGradientByPhases(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, into dx: Tensor
  ) throws {
    for py in 0..<min(g.stride, g.h) {
      for px in 0..<min(g.stride, g.w) {
        let (ty, tx) = (phase(py, of: g, extent: g.r), phase(px, of: g, extent: g.s))
        let taps = DirectTaps(
          rows: ty.taps, columns: tx.taps, first: (ty.last, tx.last), step: -g.stride)
        let pass = DirectPass(
          images: dy, outputHeight: (g.h - py + g.stride - 1) / g.stride,
          outputWidth: (g.w - px + g.stride - 1) / g.stride, stride: 1, padding: (ty.padding, tx.padding),
          offset: (py, px), spread: g.stride)
        try convolveDirectly(
          pass, taps, weights, transposed: true, bias: nil, relu: false, into: dx,
          defines: shortMacros(
            (taps.rows, taps.columns), stride: 1, channels: g.k, outputWidth: pass.outputWidth))
      }
    }
  }

  /// Local memory that a direct convolution needs at least: for one row of the result, of the largest phase.
  func directFloats(_ direction: Convolution.Direction, _ g: ConvolutionGeometry) -> Int {
    switch direction {
    case .forward: return scratch(outputWidth: g.outputWidth, (g.r, g.s), g.stride, channels: g.c, rows: 1)
    case .inputGradient:
      let taps = ((g.r - 1) / g.stride + 1, (g.s - 1) / g.stride + 1)
      return scratch(outputWidth: (g.w - 1) / g.stride + 1, taps, 1, channels: g.k, rows: 1)
    case .weightGradient: return weightGradientFloats(g, rows: 1)
    }
  }

  /// Local memory for `rows` rows of the output of a direct convolution.
  private func scratch(
    outputWidth: Int, _ taps: (rows: Int, columns: Int), _ stride: Int, channels: Int, rows: Int
  ) -> Int {
    let stride = copiedStride(taps.rows, taps.columns, stride)
    let width = (outputWidth + tileHeight / 3 - 1) * stride + taps.columns
    return max(1, ((rows - 1) * stride + taps.rows) * width * channels)
  }

  /// The stride in scratch (COPIED_STRIDE): for a single tap only the pixels that it sees are copied.
  func copiedStride(_ rows: Int, _ columns: Int, _ stride: Int) -> Int {
    rows == 1 && columns == 1 ? 1 : stride
  }

  /// Of the pixels of dx congruent to `p`, in one direction: how many taps they see, the last of these, and the zeros
  /// in front of dy.
  private func phase(_ p: Int, of g: ConvolutionGeometry, extent: Int) -> (taps: Int, last: Int, padding: Int)
  {
    let first = (p + g.padding) % g.stride
    let taps = max(0, (extent - first + g.stride - 1) / g.stride)
    return (taps, first + (taps - 1) * g.stride, taps - 1 - (p + g.padding - first) / g.stride)
  }

  private func convolveDirectly(
    _ pass: DirectPass, _ taps: DirectTaps, _ weights: Tensor, transposed: Bool, bias: Tensor?, relu: Bool,
    into y: Tensor, defines: [String: Int]
  ) throws {
    let (x, full) = (pass.images.shape, y.shape)
    let panels = try directPanels(weights, taps, transposed: transposed, defines)
    func scratch(_ rows: Int) -> Int {
      self.scratch(
        outputWidth: pass.outputWidth, (taps.rows, taps.columns), pass.stride, channels: x[3], rows: rows)
    }
    var rows = pass.outputHeight
    while rows > 1,
      !fits(2 * scratch(rows)) || (rows > 4 && x[0] < 8 * info.computeUnits)
    {
      rows = (rows + 1) / 2
    }
    let extents = [
      x[1], x[2], x[3], pass.outputHeight, pass.outputWidth, full[3], taps.rows, taps.columns, pass.stride,
      pass.padding.y, pass.padding.x, full[1], full[2], pass.spread, pass.offset.y, pass.offset.x,
    ]
    try launchTasks(
      "convolution_cpu",
      extents.map { .int($0) } + [
        .buffer(pass.images.buffer), .buffer(panels), .optional(bias?.buffer), finish(full, relu: relu),
        .buffer(y.buffer), .int(rows),
      ], tasks: [(pass.outputHeight + rows - 1) / rows, x[0]],
      scratch: scratch(rows),
      defines: defines,
      flops: 2 * x[0] * pass.outputHeight * pass.outputWidth * full[3] * taps.rows * taps.columns * x[3])
  }

  /// The taps of a pass in panels, kept for parameters until they change; packed by the program of the convolution.
  private func directPanels(
    _ weights: Tensor, _ taps: DirectTaps, transposed: Bool, _ defines: [String: Int]
  ) throws -> Buffer {
    let (c, k) = (weights.shape[2], weights.shape[3])
    let depth = taps.rows * taps.columns * (transposed ? k : c)
    let panels = panels(transposed ? c : k)
    return try weights.buffer.derived("direct \(taps) transposed \(transposed)") {
      let packed = try makeBuffer(byteCount: max(1, panels * depth * panel) * 4)
      let extents = [
        taps.rows, taps.columns, taps.first.y, taps.first.x, taps.step, weights.shape[1], c, k,
        transposed ? 1 : 0,
      ]
      try launch(
        "convolution_pack_cpu", extents.map { .int($0) } + [.buffer(weights.buffer), .buffer(packed)],
        global: [depth, panels], local: [16, 1], defines: defines)
      return packed
    }
  }

  func convolveWeightGradientCPU(
    _ kernels: CPUConvolutionKernels, _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    switch kernels {
    case .winogradSums: try weightGradientWinogradCPU(g, x, dy, into: dw)
    case .winogradOfColors: try weightGradientOfColors(g, x, dy, into: dw)
    case .product:
      try multiplyCPU(
        StridedMatrix(x.buffer, columns: g.c, transposed: true), StridedMatrix(dy.buffer, columns: g.k),
        rows: g.c, columns: g.k, depth: g.n * g.h * g.w, bias: nil, relu: false, into: dw.buffer)
    case .direct: try weightGradientDirectly(g, x, dy, into: dw)
    default: preconditionFailure("\(kernels) compute no weight gradient")
    }
  }

  /// Whether a direct weight gradient reads dy where it lies.
  func readsGradientInPlace(_ g: ConvolutionGeometry) -> Bool {
    g.k % panel == 0 && g.r * g.s * g.c <= 128
  }

  /// Local memory for `rows` rows of dy in a direct weight gradient.
  private func weightGradientFloats(_ g: ConvolutionGeometry, rows: Int) -> Int {
    let stride = copiedStride(g.r, g.s, g.stride)
    let width = (g.outputWidth - 1) * stride + g.s
    return ((rows - 1) * stride + g.r) * width * g.c
      + (readsGradientInPlace(g) ? 0 : rows * g.outputWidth * panel)
  }

  /// Partial sums over chunks of images, added in order.
  private func weightGradientDirectly(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    let (size, panels) = (g.weightShape.count, panels(g.k))
    let most = max(1, min(16, (1 << 20) / max(1, size)))
    let chunk = (g.n + most - 1) / most
    let chunks = (g.n + chunk - 1) / chunk
    // Each part copies the images anew: as few as leave work for all threads.
    let parts = max(1, min(panels, (2 * info.computeUnits + chunks - 1) / chunks))
    let panelsPerPart = (panels + parts - 1) / parts
    let isInPlace = readsGradientInPlace(g)
    var rows = g.outputHeight
    // Where each row of taps is a tile, they read dy one after the other: from the caches.
    let isReread = isInPlace && g.s * g.c <= tileHeight && g.r * g.s * g.c > tileHeight
    while rows > 1,
      weightGradientFloats(g, rows: rows) * 4 > info.localMemory * 3 / 4
        || isReread && rows * g.outputWidth * g.k > 16_384
    {
      rows = (rows + 1) / 2
    }
    let partial = try Tensor(uninitialized: [chunks, size], on: .openCL(self))
    let extents = [
      g.n, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.r, g.s, g.stride, g.padding, chunk,
      panelsPerPart,
    ]
    try launchTasks(
      "convolution_weight_gradient_cpu",
      extents.map { .int($0) } + [
        .buffer(x.buffer), .buffer(dy.buffer), .buffer(partial.buffer), .int(rows),
      ], tasks: [chunks, (panels + panelsPerPart - 1) / panelsPerPart],
      scratch: weightGradientFloats(g, rows: rows),
      defines: directMacros(.weightGradient, g),
      flops: g.operations)
    try sumPartials(partial, chunks: chunks, count: g.weightShape.count, into: dw)
  }
}

/// Taps of weights: (first.y + step i, first.x + step j).
private struct DirectTaps: CustomStringConvertible {
  let rows: Int
  let columns: Int
  let first: (y: Int, x: Int)
  let step: Int

  var description: String { "\(rows) \(columns) \(first) \(step)" }
}

/// A direct convolution of images whose outputs lie `spread` pixels apart from `offset` on.
private struct DirectPass {
  let images: Tensor
  let outputHeight: Int
  let outputWidth: Int
  let stride: Int
  let padding: (y: Int, x: Int)
  let offset: (y: Int, x: Int)
  let spread: Int
}
