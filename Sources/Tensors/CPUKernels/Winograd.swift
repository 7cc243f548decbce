import Devices
import Foundation

/// Which algorithm a convolution on the CPU runs.
package enum ConvolutionAlgorithm: String, CaseIterable, Sendable {
  /// Products of the images as they lie in memory with the weights.
  case direct
  /// Winograd's F(4x4, 3x3): a quarter of the multiplications; about twice the rounding error.
  case winograd

  /// Overrules the rule where the algorithm can be run at all; by default what `TEMPER_CONVOLUTION` says.
  @TaskLocal package static var forced = wished(ProcessInfo.processInfo.environment["TEMPER_CONVOLUTION"])

  /// The algorithm of a name; one that does not exist is reported on stderr and ignored.
  private static func wished(_ name: String?) -> Self? {
    guard let name else { return nil }
    if let algorithm = Self(rawValue: name) { return algorithm }
    let choices = allCases.map(\.rawValue).joined(separator: " or ")
    let message = "temper: TEMPER_CONVOLUTION: is \"\(name)\". Choose \(choices). Using the default.\n"
    FileHandle.standardError.write(Data(message.utf8))
    return nil
  }
}

/// The 4x4 tiles that cover the output of a 3x3 convolution with stride 1; those at the lower and right edge may
/// reach beyond it.
struct WinogradTiles {
  static let extent = 4
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
  ///
  /// - Parameter winners: asks for a max pool of 2 x 2 after the ReLU, which y then holds: the number of the pixel that
  ///   won each window. Each tile of the output holds whole windows; K fills whole panels.
  func convolveWinograd(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ filters: WinogradFilters,
    into y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, winners: UnsafeMutablePointer<UInt8>? = nil
  ) {
    let job = WinogradJob(g, x, filters, y, epilogue, winners, self)
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
  let winners: UnsafeMutablePointer<UInt8>?
  let panels: Int

  init(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ filters: WinogradFilters,
    _ y: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, _ winners: UnsafeMutablePointer<UInt8>?,
    _ cpu: CPU
  ) {
    self.cpu = cpu
    kernels = cpu.kernels
    tiles = WinogradTiles(g)
    self.x = x
    self.filters = filters
    self.y = y
    self.epilogue = epilogue
    self.winners = winners
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
      range.count, 1, g.c, v, 0, g.c, filters.panel(panel), m, width, false, nil, false, nil, false)
    let column = panel * width
    let bias = scratch.bias(epilogue.bias, column, of: g.k)
    for tile in range {
      let products = m + (tile - range.lowerBound) * width
      let place = tiles.place(tile)
      let (rows, columns) = (min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column))
      if let winners {
        guard rows >= 2, columns >= 2 else { continue }  // no whole window
        let (height, across) = (g.outputHeight / 2, g.outputWidth / 2)
        let at = ((place.image * height + place.row / 2) * across + place.column / 2) * g.k + column
        kernels.winogradOutputPooled(
          products, productStride(perProduct), y + at, winners + at, across * g.k, g.k, rows / 2, columns / 2,
          bias, scratch.vectors)
        continue
      }
      let at = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + column
      kernels.winogradOutput(
        products, productStride(perProduct), y + at, g.outputWidth * g.k, g.k, rows, columns,
        min(width, g.k - column), bias, epilogue.relu, epilogue.mask.map { $0 + at }, scratch.vectors)
    }
  }
}
