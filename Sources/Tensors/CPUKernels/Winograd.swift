import Devices
import Foundation

/// Which algorithm a convolution on the CPU runs.
package enum ConvolutionAlgorithm: String, CaseIterable, Sendable {
  /// Products of the images as they lie in memory with the weights.
  case direct
  /// Winograd's F(4x4, 3x3): a quarter of the multiplications; about twice the rounding error.
  case winograd

  /// Overrules the rule where the algorithm can be run at all; by default what `TEMPER_CONVOLUTION` says.
  @TaskLocal package static var forced = ProcessInfo.processInfo.environment["TEMPER_CONVOLUTION"]
    .flatMap(ConvolutionAlgorithm.init)
}

/// The 4x4 tiles that cover the output of a 3x3 convolution with stride 1; those at the lower and right edge may
/// reach beyond it.
struct WinogradTiles {
  static let extent = 4
  static let inputExtent = 6
  /// Products per tile, one for each pair of interpolation points.
  static let points = 36

  let geometry: ConvolutionGeometry
  let down: Int
  let across: Int

  init(_ geometry: ConvolutionGeometry) {
    self.geometry = geometry
    down = (geometry.outputHeight + Self.extent - 1) / Self.extent
    across = (geometry.outputWidth + Self.extent - 1) / Self.extent
  }

  /// Tiles of all images.
  var count: Int { geometry.n * down * across }

  /// The image of a tile and the pixel of the output that it starts at.
  func place(_ tile: Int) -> (image: Int, row: Int, column: Int) {
    let within = tile % (down * across)
    return (tile / (down * across), within / across * Self.extent, within % across * Self.extent)
  }
}

/// 3x3 filters, transformed: per panel of outputs, per point, channels x panel.
struct WinogradFilters {
  let buffer: Buffer
  let channels: Int
  let panelWidth: Int
  var pointer: UnsafePointer<Float> { UnsafePointer(buffer.address.assumingMemoryBound(to: Float.self)) }
  /// Floats of one point of one panel.
  var pointStride: Int { channels * panelWidth }

  func panel(_ panel: Int) -> UnsafePointer<Float> { pointer + panel * WinogradTiles.points * pointStride }

  /// The transformed weights (3, 3, C, K) of a convolution, or of its input gradient (`rotated`: turned by 180
  /// degrees, C and K exchanged); kept for parameters until they change.
  static func of(_ weights: Tensor, rotated: Bool, on cpu: CPU) -> WinogradFilters {
    let (c, k) = (weights.shape[2], weights.shape[3])
    let (channels, outputs) = rotated ? (k, c) : (c, k)
    let width = cpu.kernels.panelWidth
    let buffer = weights.buffer.derived("winograd \(rotated) \(cpu.instructionSet.rawValue)") {
      let panels = (outputs + width - 1) / width
      let buffer = cpu.makeBuffer(byteCount: panels * WinogradTiles.points * channels * width * 4)
      let filters = WinogradFilters(buffer: buffer, channels: channels, panelWidth: width)
      cpu.parallel(panels * channels) { task in
        let (panel, channel) = (task / channels, task % channels)
        filters.fill(panel, channel, weights.pointer, c, k, rotated: rotated, cpu.kernels)
      }
      return buffer
    }
    return WinogradFilters(buffer: buffer, channels: channels, panelWidth: width)
  }

  /// The filters from one channel to one panel of outputs.
  private func fill(
    _ panel: Int, _ channel: Int, _ weights: UnsafePointer<Float>, _ c: Int, _ k: Int, rotated: Bool,
    _ kernels: MicroKernels
  ) {
    let first = panel * panelWidth
    let count = min(panelWidth, (rotated ? c : k) - first)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 9 * panelWidth + 36 * panelWidth) { memory in
      let taps = memory.baseAddress!
      taps.update(repeating: 0, count: 9 * panelWidth)
      for tap in 0..<9 {
        let source = weights + (rotated ? 8 - tap : tap) * c * k
        for j in 0..<count {
          taps[tap * panelWidth + j] =
            rotated ? source[(first + j) * k + channel] : source[channel * k + first + j]
        }
      }
      let target = UnsafeMutablePointer(mutating: self.panel(panel)) + channel * panelWidth
      kernels.winogradFilter(taps, panelWidth, target, pointStride, taps + 9 * panelWidth)
    }
  }
}

extension CPU {
  /// The rule: Winograd pays for 3x3 convolutions with stride 1 whose channels fill vectors on both sides, unless
  /// tiles would reach so far beyond the output that more than about half of the saving is lost.
  func usesWinograd(_ g: ConvolutionGeometry) -> Bool {
    guard g.r == 3, g.s == 3, g.stride == 1, g.padding <= 2, g.c >= 16, g.k >= 16 else { return false }
    if let forced = ConvolutionAlgorithm.forced { return forced == .winograd }
    let tiles = WinogradTiles(g)
    return tiles.down * tiles.across * WinogradTiles.points <= 5 * g.outputHeight * g.outputWidth
  }

  /// y = conv(x, weights), then the epilogue.
  func convolveWinograd(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ filters: WinogradFilters,
    into y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue
  ) {
    let job = WinogradJob(g, x, filters, y, epilogue, self)
    job.filtersFitCache ? job.runByTiles() : job.runByPanels()
  }
}

/// One forward convolution or input gradient.
private struct WinogradJob {
  let cpu: CPU
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let x: UnsafePointer<Float>
  let filters: WinogradFilters
  let y: UnsafeMutablePointer<Float>
  let epilogue: Epilogue
  let panels: Int

  init(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ filters: WinogradFilters,
    _ y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, _ cpu: CPU
  ) {
    self.cpu = cpu
    kernels = cpu.kernels
    tiles = WinogradTiles(g)
    self.x = x
    self.filters = filters
    self.y = y
    self.epilogue = epilogue
    panels = (g.k + filters.panelWidth - 1) / filters.panelWidth
  }

  private var g: ConvolutionGeometry { tiles.geometry }

  /// Whether every task may read all filters: they come from the third-level cache, once per block of tiles.
  var filtersFitCache: Bool { g.c * g.k <= 128 * 128 }

  /// Each task transforms a block of tiles, multiplies with all filters and transforms back; both intermediate
  /// results stay in its second-level cache.
  func runByTiles() {
    let fits = 65_536 / (WinogradTiles.points * g.c) / 12 * 12
    let balanced = (tiles.count / (cpu.threads * 4) + 11) / 12 * 12
    let perBlock = max(12, min(48, fits, balanced))
    cpu.parallel((tiles.count + perBlock - 1) / perBlock) { block in
      let range = block * perBlock..<min(tiles.count, (block + 1) * perBlock)
      let scratch = WinogradScratch(cpu, floats: inputFloats(perBlock) + productFloats(perBlock), g)
      let v = scratch.values
      transform(range, into: v, perBlock, scratch)
      for panel in 0..<panels {
        multiply(v, range, panel, perBlock, products: v + inputFloats(perBlock), perBlock, scratch)
      }
    }
  }

  /// For large filters: all threads transform a larger block of tiles, then share the panels of outputs, so that
  /// each filter is read once per block.
  func runByPanels() {
    let perBlock = max(96, min(tiles.count, 1 << 20 / (WinogradTiles.points * g.c)) / 48 * 48)
    let perPart = 48
    let shared = cpu.makeBuffer(byteCount: inputFloats(perBlock) * 4)
    let v = shared.address.assumingMemoryBound(to: Float.self)
    for first in stride(from: 0, to: tiles.count, by: perBlock) {
      let block = first..<min(tiles.count, first + perBlock)
      let step = 4
      cpu.parallel((block.count + step - 1) / step) { task in
        let start = block.lowerBound + task * step
        let scratch = WinogradScratch(cpu, floats: 0, g)
        transform(
          start..<min(block.upperBound, start + step), into: v + (start - first) * g.c, perBlock, scratch)
      }
      let parts = (block.count + perPart - 1) / perPart
      cpu.parallel(parts * panels) { task in
        let start = first + task % parts * perPart
        let scratch = WinogradScratch(cpu, floats: productFloats(perPart), g)
        multiply(
          v + (start - first) * g.c, start..<min(block.upperBound, start + perPart), task / parts, perBlock,
          products: scratch.values, perPart, scratch)
      }
    }
    withExtendedLifetime(shared) {}
  }

  /// Floats between the points of a block of transformed tiles. The odd cache line keeps points apart in the
  /// cache's sets.
  private func inputStride(_ tiles: Int) -> Int { tiles * g.c + 16 }
  private func productStride(_ tiles: Int) -> Int { tiles * filters.panelWidth + 16 }
  private func inputFloats(_ tiles: Int) -> Int { WinogradTiles.points * inputStride(tiles) }
  private func productFloats(_ tiles: Int) -> Int { WinogradTiles.points * productStride(tiles) }

  private func transform(
    _ range: Range<Int>, into v: UnsafeMutablePointer<Float>, _ perBlock: Int, _ scratch: WinogradScratch
  ) {
    for tile in range {
      let source = scratch.inputPatch(tiles.place(tile), x, g)
      kernels.winogradInput(
        source.pointer, source.rowStride, g.c, g.c, v + (tile - range.lowerBound) * g.c,
        inputStride(perBlock), scratch.vectors)
    }
  }

  /// The products of a range of tiles with one panel of filters, transformed back into y.
  private func multiply(
    _ v: UnsafePointer<Float>, _ range: Range<Int>, _ panel: Int, _ perBlock: Int,
    products m: UnsafeMutablePointer<Float>, _ perProduct: Int, _ scratch: WinogradScratch
  ) {
    let width = filters.panelWidth
    kernels.productByRows(
      WinogradTiles.points, inputStride(perBlock), filters.pointStride, productStride(perProduct),
      range.count, 1, g.c, v, 0, g.c, filters.panel(panel), m, width, false, nil, false, nil)
    let column = panel * width
    let bias = scratch.bias(epilogue.bias, column, of: g.k)
    for tile in range {
      let place = tiles.place(tile)
      let at = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + column
      kernels.winogradOutput(
        m + (tile - range.lowerBound) * width, productStride(perProduct), y + at, g.outputWidth * g.k, g.k,
        min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column), min(width, g.k - column),
        bias, epilogue.relu, epilogue.mask.map { $0 + at }, scratch.vectors)
    }
  }
}

/// Memory of one task, from the device's pool.
struct WinogradScratch {
  private let buffer: Buffer
  private let width: Int
  private let patch: UnsafeMutablePointer<Float>
  /// 36 vectors for a transform.
  let vectors: UnsafeMutablePointer<Float>
  /// The floats that were asked for.
  let values: UnsafeMutablePointer<Float>

  init(_ cpu: CPU, floats: Int, _ g: ConvolutionGeometry) {
    width = cpu.kernels.panelWidth
    let patchFloats = 36 * g.c + 16 * width
    buffer = cpu.makeBuffer(byteCount: (37 * width + patchFloats + floats) * 4)
    vectors = buffer.address.assumingMemoryBound(to: Float.self)
    patch = vectors + 37 * width
    values = patch + patchFloats
  }

  /// The 6x6 pixels of the input that a tile of the output reads; copied with zeros where they reach beyond the
  /// image.
  func inputPatch(
    _ place: (image: Int, row: Int, column: Int), _ x: UnsafePointer<Float>, _ g: ConvolutionGeometry
  ) -> (pointer: UnsafePointer<Float>, rowStride: Int) {
    let image = x + place.image * g.h * g.w * g.c
    let (row, column) = (place.row - g.padding, place.column - g.padding)
    if row >= 0, column >= 0, row + 6 <= g.h, column + 6 <= g.w {
      return (image + (row * g.w + column) * g.c, g.w * g.c)
    }
    copy(image, rows: g.h, columns: g.w, channels: g.c, from: (row, column), extent: 6)
    return (UnsafePointer(patch), 6 * g.c)
  }

  /// A square of pixels into the patch, zero where they reach beyond the image.
  private func copy(
    _ image: UnsafePointer<Float>, rows: Int, columns: Int, channels: Int, from: (row: Int, column: Int),
    extent: Int
  ) {
    let first = max(0, -from.column)
    let last = max(first, min(extent, columns - from.column))
    for i in 0..<extent {
      let target = patch + i * extent * channels
      let row = from.row + i
      guard row >= 0, row < rows, last > first else {
        target.update(repeating: 0, count: extent * channels)
        continue
      }
      target.update(repeating: 0, count: first * channels)
      (target + first * channels).update(
        from: image + (row * columns + from.column + first) * channels, count: (last - first) * channels)
      (target + last * channels).update(repeating: 0, count: (extent - last) * channels)
    }
  }

  /// The 4x4 pixels of a panel of the output's gradient that a tile holds; copied with zeros where the tile or
  /// the panel reaches beyond it.
  func outputPatch(
    _ place: (image: Int, row: Int, column: Int), _ dy: UnsafePointer<Float>, _ g: ConvolutionGeometry,
    channel: Int
  ) -> (pointer: UnsafePointer<Float>, rowStride: Int, pixelStride: Int) {
    let start = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + channel
    let (rows, columns) = (min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column))
    let count = min(width, g.k - channel)
    if rows == 4, columns == 4, count == width { return (dy + start, g.outputWidth * g.k, g.k) }
    patch.update(repeating: 0, count: 16 * width)
    for i in 0..<rows {
      for j in 0..<columns {
        (patch + (i * 4 + j) * width).update(from: dy + start + (i * g.outputWidth + j) * g.k, count: count)
      }
    }
    return (UnsafePointer(patch), 4 * width, width)
  }

  /// A whole panel of the bias, zero where there is none.
  func bias(_ bias: UnsafePointer<Float>?, _ column: Int, of columns: Int) -> UnsafePointer<Float> {
    if let bias, column + width <= columns { return bias + column }
    patch.update(repeating: 0, count: width)
    if let bias { patch.update(from: bias + column, count: columns - column) }
    return UnsafePointer(patch)
  }
}
