import Devices

/// Winograd's algorithm for first layers on images of three channels: strips of tiles beside each other whose
/// transforms stay in the first-level cache.
extension CPU {
  /// The kernels of a convolution that runs so, or nil.
  func winogradOfColors(_ g: ConvolutionGeometry) -> MicroKernels.WinogradColors? {
    guard let kernels = kernels.winogradColors, g.prefersWinogradOfColors, g.k % kernels.width == 0 else {
      return nil
    }
    return kernels
  }

  /// y = conv(x, weights) + bias, then ReLU.
  func convolveColors(
    _ kernels: MicroKernels.WinogradColors, _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>,
    _ weights: Tensor, into y: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?, relu: Bool
  ) {
    let filters = WinogradFilters.of(weights, .forward, on: self)
    let streamed = streams(y, rows: g.n * g.outputHeight * g.outputWidth, columns: g.k)
    let strips = ColorStrips(g, kernels, self)
    parallel(g.n) { image in
      strips.forEach(of: x, image: image) { strip in
        for column in stride(from: 0, to: g.k, by: kernels.width) {
          let panel = filters.panel(column / filters.panelWidth) + column % filters.panelWidth
          kernels.output(
            strip.tiles, strip.count, panel, filters.pointStride, filters.panelWidth,
            y + strip.offset * g.k + column, g.outputWidth * g.k, g.k, strip.rows, strip.columns,
            bias.map { $0 + column }, relu, streamed, strip.scratch)
        }
      }
    }
  }

  /// dW from x and dy. Images are split into at most 16 groups, whatever the number of threads, each with its own sums.
  func weightGradientOfColors(
    _ kernels: MicroKernels.WinogradColors, _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>,
    _ dy: UnsafePointer<Float>, into dw: UnsafeMutablePointer<Float>
  ) {
    let sums = WinogradSums(g, groups: max(1, min(16, g.n)), on: self)
    let strips = ColorStrips(g, kernels, self)
    parallel(sums.groups) { group in
      let images = group * g.n / sums.groups..<(group + 1) * g.n / sums.groups
      var accumulate = false
      for image in images {
        strips.forEach(of: x, image: image) { strip in
          for column in stride(from: 0, to: g.k, by: kernels.width) {
            let target = sums.panel(column / sums.width, group: group) + column % sums.width
            kernels.gradient(
              strip.tiles, strip.count, dy + strip.offset * g.k + column, g.outputWidth * g.k, g.k,
              strip.rows,
              strip.columns, target, sums.pointStride, sums.width, accumulate, strip.scratch)
          }
          accumulate = true
        }
      }
    }
    sums.finish(into: dw)
  }
}

/// The tiles of images with three channels, in strips of a row.
private struct ColorStrips {
  /// A strip's transformed tiles.
  struct Strip {
    let tiles: UnsafePointer<Float>
    let count: Int
    /// Rows and columns of the output that the strip covers, and the number of its first pixel.
    let (rows, columns): (Int, Int)
    let offset: Int
    /// 24 vectors per tile.
    let scratch: UnsafeMutablePointer<Float>
  }

  private let cpu: CPU
  private let kernels: MicroKernels.WinogradColors
  private let g: ConvolutionGeometry
  private let tiles: WinogradTiles
  /// Tiles of a strip: what they take, with a vector of filters, fits 32 KB.
  private let longest = 8
  /// Floats of a transformed tile.
  private let tileFloats = 144

  init(_ g: ConvolutionGeometry, _ kernels: MicroKernels.WinogradColors, _ cpu: CPU) {
    (self.cpu, self.kernels, self.g) = (cpu, kernels, g)
    tiles = WinogradTiles(g)
  }

  /// Calls `body` with the strips of an image in order.
  func forEach(of x: UnsafePointer<Float>, image: Int, _ body: (Strip) -> Void) {
    let source = PaddedRows(
      of: x + image * g.h * g.w * g.c, height: g.h, width: g.w, channels: g.c, padding: g.padding,
      rows: 0..<4 * tiles.down + 2, paddedWidth: 4 * tiles.across + 2, on: cpu)
    let vectors = longest * 24 * kernels.width
    let buffer = cpu.makeBuffer(byteCount: (vectors + longest * tileFloats) * 4)
    let scratch = buffer.address.assumingMemoryBound(to: Float.self)
    for down in 0..<tiles.down {
      for across in stride(from: 0, to: tiles.across, by: longest) {
        let count = min(longest, tiles.across - across)
        let (row, column) = (4 * down, 4 * across)
        kernels.input(source.row(row) + column * g.c, source.rowStride, count, scratch + vectors, scratch)
        body(
          Strip(
            tiles: scratch + vectors, count: count, rows: min(4, g.outputHeight - row),
            columns: min(4 * count, g.outputWidth - column),
            offset: (image * g.outputHeight + row) * g.outputWidth + column, scratch: scratch))
      }
    }
    withExtendedLifetime((source, buffer)) {}
  }
}
