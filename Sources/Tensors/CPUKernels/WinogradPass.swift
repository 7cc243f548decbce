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
  /// Transforms a tile: its values of each point go to v, `pointStride` apart.
  func transform(
    _ tile: Int, into v: UnsafeMutablePointer<Float>, pointStride: Int, _ scratch: WinogradScratch)
  /// Transforms the products of a tile with a panel of filters back and stores them.
  func finish(
    _ tile: Int, _ products: UnsafePointer<Float>, pointStride: Int, panel: Int, _ scratch: WinogradScratch)
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

  private var count: Int { pass.tiles.count }
  private var width: Int { filters.panelWidth }
  private var panels: Int { (pass.columns + width - 1) / width }

  /// Each task transforms a block of tiles, multiplies with all filters and transforms back; both intermediate
  /// results stay in its second-level cache.
  func runByTiles() {
    let fits = 131_072 / (WinogradTiles.points * pass.depth) / 12 * 12
    let balanced = (count / (cpu.threads * 4) + 11) / 12 * 12
    let perBlock = max(12, min(24, fits, balanced))
    let perTask = groups(of: perBlock)
    cpu.parallel((count + perTask - 1) / perTask) { task in
      let scratch = WinogradScratch(
        cpu, floats: inputFloats(perBlock) + productFloats(perBlock))
      let v = scratch.values
      let end = min(count, (task + 1) * perTask)
      for first in stride(from: task * perTask, to: end, by: perBlock) {
        let block = first..<min(end, first + perBlock)
        transform(block, into: v, perBlock, scratch)
        for panel in 0..<panels {
          multiply(
            v, block, panel, perBlock, products: v + inputFloats(perBlock), perBlock, scratch,
            ahead: ahead(panel, block, next: block.upperBound..<min(count, block.upperBound + perBlock)))
        }
      }
    }
  }

  /// For large filters: all threads transform a larger block of tiles, then share the panels of outputs, so that
  /// each filter is read once per block.
  func runByPanels() {
    let perBlock = groups(of: max(96, min(count, 1 << 20 / (WinogradTiles.points * pass.depth)) / 48 * 48))
    let perPart = groups(of: 48)
    let shared = cpu.makeBuffer(byteCount: inputFloats(perBlock) * 4)
    let v = shared.address.assumingMemoryBound(to: Float.self)
    for first in stride(from: 0, to: count, by: perBlock) {
      let block = first..<min(count, first + perBlock)
      let step = 4
      cpu.parallel((block.count + step - 1) / step) { task in
        let start = block.lowerBound + task * step
        let scratch = WinogradScratch(cpu, floats: 0)
        transform(
          start..<min(block.upperBound, start + step), into: v + (start - first) * pass.tileStride, perBlock,
          scratch)
      }
      let parts = (block.count + perPart - 1) / perPart
      let next = pass.source(of: block.upperBound..<min(count, block.upperBound + perBlock))
      cpu.parallel(parts * panels) { task in
        let start = first + task % parts * perPart
        let scratch = WinogradScratch(cpu, floats: productFloats(perPart))
        multiply(
          v + (start - first) * pass.tileStride, start..<min(block.upperBound, start + perPart), task / parts,
          perBlock, products: scratch.values, perPart, scratch,
          ahead: next.part(task, of: parts * panels).halves)
      }
    }
    withExtendedLifetime(shared) {}
  }

  /// What is fetched during each half of the products of a panel, while memory has nothing else to do: first where the
  /// results of the block go, at last what the transforms of the next block read.
  private func ahead(_ panel: Int, _ block: Range<Int>, next: Range<Int>) -> (Lines, Lines) {
    if panels == 1 { return (pass.target(of: block), pass.source(of: next)) }
    if panel == 0 { return pass.target(of: block).halves }
    return panel == panels - 1 ? pass.source(of: next).halves : (.none, .none)
  }

  /// About so many tiles, in whole groups.
  private func groups(of tiles: Int) -> Int { max(1, tiles / pass.tilesPerGroup) * pass.tilesPerGroup }

  /// Floats between the points of a block of transformed tiles. The odd cache line keeps points apart in the
  /// cache's sets.
  private func inputStride(_ tiles: Int) -> Int { tiles * pass.tileStride + 16 }
  private func productStride(_ tiles: Int) -> Int { tiles * width + 16 }
  private func inputFloats(_ tiles: Int) -> Int { WinogradTiles.points * inputStride(tiles) }
  private func productFloats(_ tiles: Int) -> Int { WinogradTiles.points * productStride(tiles) }

  private func transform(
    _ range: Range<Int>, into v: UnsafeMutablePointer<Float>, _ perBlock: Int, _ scratch: WinogradScratch
  ) {
    for tile in range {
      pass.transform(
        tile, into: v + (tile - range.lowerBound) * pass.tileStride, pointStride: inputStride(perBlock),
        scratch)
    }
  }

  /// The products of a range of tiles with one panel of filters, finished.
  private func multiply(
    _ v: UnsafePointer<Float>, _ range: Range<Int>, _ panel: Int, _ perBlock: Int,
    products m: UnsafeMutablePointer<Float>, _ perProduct: Int, _ scratch: WinogradScratch,
    ahead: (Lines, Lines)
  ) {
    let half = WinogradTiles.points / 2
    for point in stride(from: 0, to: WinogradTiles.points, by: half) {
      let ahead = point == 0 ? ahead.0 : ahead.1
      cpu.kernels.productByRows(
        half, inputStride(perBlock), filters.pointStride, productStride(perProduct), range.count, 1,
        pass.depth, v + point * inputStride(perBlock), 0, pass.tileStride,
        filters.panel(panel) + point * filters.pointStride, width, m + point * productStride(perProduct),
        width, false, nil, false, nil, false, false, ahead.start, ahead.count)
    }
    for tile in range {
      pass.finish(
        tile, m + (tile - range.lowerBound) * width, pointStride: productStride(perProduct), panel: panel,
        scratch)
    }
  }
}
