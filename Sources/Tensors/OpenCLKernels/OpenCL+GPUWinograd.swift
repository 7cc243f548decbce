import Devices

/// Winograd's algorithm on GPUs: transforms, and one batched product over all interpolation points.
extension OpenCL {
  /// Extent of the output tiles, 4 or 2, where Winograd's algorithm runs; nil for a direct convolution. Its transforms would
  /// amplify the error of rounded operands.
  func winogradExtent(_ g: ConvolutionGeometry, _ kind: ProductKind) -> Int? {
    guard precision == .fp32 else { return nil }
    if let forced = GPUWinograd.forcedExtent { return g.canUseWinograd ? forced : nil }
    guard g.canUseWinograd, isEnabled("winograd") else { return nil }
    if let algorithm = ConvolutionAlgorithm.forced {
      return algorithm == .winograd ? g.bestWinogradExtent : nil
    }
    if let tuned = TuningTable.of(self).winogradExtent(kind, g) { return tuned == 0 ? nil : tuned }
    return g.paysOnGPU ? g.bestWinogradExtent : nil
  }

  func convolveWinograd(
    _ g: ConvolutionGeometry, _ extent: Int, _ x: Tensor, _ weights: Tensor, _ end: ProductEpilogue,
    into y: Tensor
  ) throws {
    let filters = try winogradFilters(weights, extent, rotated: false)
    try convolveTiles(g, extent, x.buffer, filters, end, into: y.buffer)
  }

  /// The convolution of dy with the rotated filters.
  func inputGradientWinograd(
    _ g: ConvolutionGeometry, _ extent: Int, _ dy: Tensor, _ weights: Tensor, _ end: ProductEpilogue,
    into dx: Tensor
  ) throws {
    let transposed = try ConvolutionGeometry(
      images: g.outputShape, weights: [3, 3, g.k, g.c], stride: 1, padding: 2 - g.padding)
    let filters = try winogradFilters(weights, extent, rotated: true)
    try convolveTiles(transposed, extent, dy.buffer, filters, end, into: dx.buffer)
  }

  private func convolveTiles(
    _ g: ConvolutionGeometry, _ extent: Int, _ x: Buffer, _ filters: Buffer, _ end: ProductEpilogue,
    into y: Buffer
  ) throws {
    let grid = WinogradGrid(g, extent)
    try requireAddressable([g.imageShape.count, g.outputShape.count])
    for block in grid.blocks(info) {
      let v = try transformedImages(grid, block, x)
      let m = try makeBuffer(byteCount: grid.points * block.count * g.k * 4)
      try multiplyGPU(
        StridedMatrix(v, rowStride: g.c, columnStride: 1, batchStride: block.count * g.c),
        StridedMatrix(filters, rowStride: g.k, columnStride: 1, batchStride: g.c * g.k),
        ProductShape(rows: block.count, columns: g.k, depth: g.c, batch: grid.points), into: m)
      try launch(
        "winograd_output_gpu",
        grid.outputArguments(block) + [.buffer(m)] + end.arguments + [.buffer(y)],
        global: [block.count * g.k], local: [64], defines: ["EXTENT": extent])
    }
  }

  /// dW = G^T (V^T (A dy A^T)) G; blocks of tiles are added in order, each to the sum of those before it.
  func weightGradientWinograd(
    _ g: ConvolutionGeometry, _ extent: Int, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    let grid = WinogradGrid(g, extent)
    try requireAddressable([g.imageShape.count, g.outputShape.count])
    var sum: Buffer?
    for block in grid.blocks(info) {
      let v = try transformedImages(grid, block, x.buffer)
      let dm = try makeBuffer(byteCount: grid.points * block.count * g.k * 4)
      try launch(
        "winograd_output_gradient_gpu", grid.outputArguments(block) + [.buffer(dy.buffer), .buffer(dm)],
        global: [block.count * g.k], local: [64], defines: ["EXTENT": extent])
      let next = try makeBuffer(byteCount: grid.points * g.c * g.k * 4)
      try multiplyGPU(
        StridedMatrix(v, rowStride: 1, columnStride: g.c, batchStride: block.count * g.c),
        StridedMatrix(dm, rowStride: g.k, columnStride: 1, batchStride: block.count * g.k),
        ProductShape(rows: g.c, columns: g.k, depth: block.count, batch: grid.points),
        ProductEpilogue(residual: sum), into: next)
      sum = next
    }
    try launch(
      "winograd_filter_gradient_gpu", [.int(g.c), .int(g.k), .optional(sum), .buffer(dw.buffer)],
      global: [g.c * g.k], local: [64], defines: ["EXTENT": extent])
  }

  /// V of a block of tiles, (points, tiles, c).
  private func transformedImages(_ grid: WinogradGrid, _ block: Range<Int>, _ x: Buffer) throws -> Buffer {
    let g = grid.geometry
    let v = try makeBuffer(byteCount: grid.points * block.count * g.c * 4)
    try launch(
      "winograd_input_gpu",
      [block.lowerBound, block.count, g.h, g.w, g.c, grid.down, grid.across, g.padding].map { .int($0) }
        + [.buffer(x), .buffer(v)], global: [block.count * g.c], local: [64], defines: ["EXTENT": grid.extent]
    )
    return v
  }

  /// U of weights (3, 3, c, k); kept for parameters until they change.
  private func winogradFilters(_ weights: Tensor, _ extent: Int, rotated: Bool) throws -> Buffer {
    let (c, k) = (weights.shape[2], weights.shape[3])
    return try weights.buffer.derived("winograd \(extent) rotated \(rotated)") {
      let filters = try makeBuffer(byteCount: (extent + 2) * (extent + 2) * c * k * 4)
      try launch(
        "winograd_filter_gpu",
        [.int(c), .int(k), .int(rotated ? 1 : 0), .buffer(weights.buffer), .buffer(filters)],
        global: [c * k], local: [64], defines: ["EXTENT": extent])
      return filters
    }
  }
}

/// What the tuner and tests may overrule.
package enum GPUWinograd {
  /// The extent of the output tiles that every 3x3 convolution with stride 1 runs with.
  @TaskLocal package static var forcedExtent: Int?
  /// Most bytes of V or M.
  @TaskLocal package static var largestBlock = 1 << 28
}

/// The tiles that cover the outputs of all images; those at the lower and right edge may reach beyond them.
struct WinogradGrid {
  let geometry: ConvolutionGeometry
  /// Rows and columns of outputs in a tile.
  let extent: Int
  let down: Int
  let across: Int

  init(_ geometry: ConvolutionGeometry, _ extent: Int) {
    (self.geometry, self.extent) = (geometry, extent)
    down = (geometry.outputHeight + extent - 1) / extent
    across = (geometry.outputWidth + extent - 1) / extent
  }

  /// Products per tile, channel and filter.
  var points: Int { (extent + 2) * (extent + 2) }
  var tiles: Int { geometry.n * down * across }

  /// Tiles that are transformed and multiplied together: as many as keep V and M each within
  /// ``GPUWinograd/largestBlock`` and a quarter of the largest allocation.
  func blocks(_ info: OpenCLDeviceInfo) -> [Range<Int>] {
    let bytesPerTile = points * max(geometry.c, geometry.k) * 4
    let block = max(1, min(GPUWinograd.largestBlock, info.maximumAllocation / 4) / bytesPerTile)
    return stride(from: 0, to: tiles, by: block).map { $0..<min($0 + block, tiles) }
  }

  /// The arguments of kernels over the tiles of the output.
  func outputArguments(_ block: Range<Int>) -> [KernelArgument] {
    let extents = [geometry.outputHeight, geometry.outputWidth, geometry.k, down, across]
    return ([block.lowerBound, block.count] + extents).map { .int($0) }
  }
}

extension ConvolutionGeometry {
  /// Whether Winograd's algorithm computes it.
  package var canUseWinograd: Bool { r == 3 && s == 3 && stride == 1 && padding <= 2 }

  /// The extent with fewer products: 4, unless tiles of 4 reach far beyond the output.
  package var bestWinogradExtent: Int {
    func products(_ extent: Int) -> Int {
      let grid = WinogradGrid(self, extent)
      return grid.tiles * grid.points
    }
    return products(2) < products(4) ? 2 : 4
  }

  /// The rule: whether Winograd's algorithm is likely to be faster on a GPU. F(4x4) saves 3/4 of 18 c k operations per
  /// pixel and moves 5.5 values more per channel on either side, 22 (c + k) bytes, so that it pays where
  /// c k / (c + k) > 1.6 b. GPUs make b = 20 to 40 operations in the time of a byte; the products run at about two thirds of
  /// that, hence 40, scaled by the part of the products that lie beyond the output.
  package var paysOnGPU: Bool {
    let grid = WinogradGrid(self, bestWinogradExtent)
    let direct = 9 * n * outputHeight * outputWidth
    let saving = Double(direct - grid.tiles * grid.points) / Double(direct) / 0.75
    return canUseWinograd && Double(c * k) / Double(c + k) * saving >= 40
  }
}
