import Devices

/// What differs between Winograd's forward convolution and its input gradient, which is the transpose: how the tiles
/// of the output (of dy) are transformed before the products with the filters, and what becomes of the products.
protocol WinogradPass {
  var tiles: WinogradTiles { get }
  /// Channels that the products sum over.
  var depth: Int { get }
  /// Floats from one transformed tile to the next: at least `depth`.
  var tileStride: Int { get }
  /// Channels of the result.
  var columns: Int { get }
  /// Consecutive tiles that one task must take in order, because their results overlap.
  var tilesPerGroup: Int { get }

  /// About what the transforms of consecutive tiles read.
  func source(of tiles: Range<Int>) -> Lines
  /// About where the results of consecutive tiles go, unless past the caches.
  func target(of tiles: Range<Int>) -> Lines
  /// Transforms a tile into tile `at` of a block.
  func transform(
    _ tile: Int, into v: UnsafeMutablePointer<Float>, _ block: WinogradBlock, at: Int,
    _ scratch: WinogradScratch)
  /// Transforms the products of a tile with a panel of filters, tile `at` of a block, back and stores them.
  func finish(
    _ tile: Int, _ products: UnsafePointer<Float>, _ block: WinogradBlock, at: Int, panel: Int,
    _ scratch: WinogradScratch)
}

extension CPU {
  /// Transforms all tiles, multiplies them with the filters point by point and finishes them.
  func run<Pass: WinogradPass>(_ pass: Pass, _ filters: WinogradFilters) {
    let job = WinogradJob(cpu: self, pass: pass, filters: filters)
    pass.depth * pass.columns <= WinogradSchedule.largestFilterPerTask ? job.runByTiles() : job.runByPanels()
  }
}

private struct WinogradJob<Pass: WinogradPass> {
  let cpu: CPU
  let pass: Pass
  let filters: WinogradFilters

  private var tiles: WinogradTiles { pass.tiles }
  private var count: Int { tiles.count }
  private var width: Int { filters.panelWidth }
  private var panels: Int { (pass.columns + width - 1) / width }

  /// Each task transforms a block of tiles, multiplies with all filters and transforms back; both intermediate
  /// results stay in its second-level cache.
  func runByTiles() {
    let fits = 131_072 / (tiles.products * pass.depth) / 12 * 12
    let balanced = (count / (cpu.threads * 4) + 11) / 12 * 12
    let perBlock = max(12, min(tiles.geometry.stride == 1 ? 24 : 12, fits, balanced))
    let perTask = groups(of: perBlock)
    let (inputs, products) = (inputs(perBlock), products(perBlock))
    cpu.parallel((count + perTask - 1) / perTask) { task in
      let scratch = WinogradScratch(cpu, floats: inputs.floats + products.floats)
      let (v, m) = (scratch.values, scratch.values + inputs.floats)
      let end = min(count, (task + 1) * perTask)
      for first in stride(from: task * perTask, to: end, by: perBlock) {
        let range = first..<min(end, first + perBlock)
        transform(range, into: v, inputs, at: 0, scratch)
        let next = range.upperBound..<min(count, range.upperBound + perBlock)
        for panel in 0..<panels {
          multiply(
            v, inputs, at: 0, range, panel, into: m, products, scratch, ahead: ahead(panel, range, next: next)
          )
        }
      }
    }
  }

  /// For large filters: all threads transform a larger block of tiles, then share its parts and the panels of outputs, so
  /// that a thread mostly multiplies what it transformed.
  func runByPanels() {
    let most = tiles.geometry.stride == 1 ? 48 : 24
    let fits = (1 << 20) / (tiles.products * pass.depth)
    let perBlock = groups(of: max(2 * most, min(count, fits) / most * most))
    let perPart = groups(of: most)
    let (inputs, products) = (inputs(perBlock), products(perPart))
    let shared = cpu.makeBuffer(byteCount: inputs.floats * 4)
    let v = shared.address.assumingMemoryBound(to: Float.self)
    for first in stride(from: 0, to: count, by: perBlock) {
      let block = first..<min(count, first + perBlock)
      let step = 4
      cpu.parallel((block.count + step - 1) / step) { task in
        let start = block.lowerBound + task * step
        let scratch = WinogradScratch(cpu, floats: 0)
        transform(start..<min(block.upperBound, start + step), into: v, inputs, at: start - first, scratch)
      }
      let parts = (block.count + perPart - 1) / perPart
      let next = pass.source(of: block.upperBound..<min(count, block.upperBound + perBlock))
      cpu.parallel(parts * panels) { task in
        let start = first + task / panels * perPart
        let scratch = WinogradScratch(cpu, floats: products.floats)
        multiply(
          v, inputs, at: start - first, start..<min(block.upperBound, start + perPart), task % panels,
          into: scratch.values, products, scratch, ahead: next.part(task, of: parts * panels).halves)
      }
    }
    withExtendedLifetime(shared) {}
  }

  /// What is fetched during each of the first two multiplications of a panel, while memory has nothing else to do: first
  /// where the results of the block go, at last what the transforms of the next block read.
  private func ahead(_ panel: Int, _ block: Range<Int>, next: Range<Int>) -> (Lines, Lines) {
    if panels == 1 { return (pass.target(of: block), pass.source(of: next)) }
    if panel == 0 { return pass.target(of: block).halves }
    return panel == panels - 1 ? pass.source(of: next).halves : (.none, .none)
  }

  /// About so many tiles, in whole groups.
  private func groups(of tiles: Int) -> Int { max(1, tiles / pass.tilesPerGroup) * pass.tilesPerGroup }

  private func inputs(_ count: Int) -> WinogradBlock {
    WinogradBlock(tiles, count: count, tileStride: pass.tileStride)
  }
  private func products(_ count: Int) -> WinogradBlock {
    WinogradBlock(tiles, count: count, tileStride: width)
  }

  private func transform(
    _ range: Range<Int>, into v: UnsafeMutablePointer<Float>, _ block: WinogradBlock, at: Int,
    _ scratch: WinogradScratch
  ) {
    for tile in range { pass.transform(tile, into: v, block, at: at + tile - range.lowerBound, scratch) }
  }

  /// The products of a range of tiles, from `at` on in the block of inputs, with one panel of filters, finished.
  private func multiply(
    _ v: UnsafePointer<Float>, _ inputs: WinogradBlock, at: Int, _ range: Range<Int>, _ panel: Int,
    into m: UnsafeMutablePointer<Float>, _ products: WinogradBlock, _ scratch: WinogradScratch,
    ahead: (Lines, Lines)
  ) {
    for (number, part) in inputs.parts.enumerated() {
      let result = products.parts[number]
      let rows = part.productsPerTile * range.count
      let ahead = number == 0 ? ahead.0 : number == 1 ? ahead.1 : .none
      cpu.kernels.productByRows(
        part.points.count, part.pointStride, filters.pointStride, result.pointStride, rows, 1, pass.depth,
        v + part.offset + part.productsPerTile * at * pass.tileStride, 0, pass.tileStride,
        filters.panel(panel) + part.points.lowerBound * filters.pointStride, width, m + result.offset, width,
        false, nil, false, nil, false, false, ahead.start, ahead.count)
    }
    for tile in range {
      pass.finish(tile, m, products, at: tile - range.lowerBound, panel: panel, scratch)
    }
  }
}
