import Devices

extension CPU {
  /// dW of a 3x3 convolution: per point the product of the transformed images, transposed, with the transformed
  /// dy, summed over tiles.
  ///
  /// - Parameter winners: see ``WinogradOutputGradient``.
  func weightGradientWinograd(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    winners: UnsafePointer<UInt8>? = nil, into dw: UnsafeMutablePointer<Float>
  ) {
    let gradient = WinogradOutputGradient(
      kernels: kernels, tiles: WinogradTiles(g), dy: dy, winners: winners)
    WinogradWeightJob(g, x, gradient, self).run(into: dw)
  }
}

/// The order of every sum depends on neither the threads nor their number.
private struct WinogradWeightJob {
  let cpu: CPU
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let x: UnsafePointer<Float>
  let dy: WinogradOutputGradient
  let panels: Int
  /// Groups of tiles, each with its own sums, which are added at the end; 1 for large filters.
  let groups: Int
  /// Tiles that are transformed before their products are summed: those of the images and, for each panel of outputs,
  /// those of dy.
  let perBlock: Int
  let inputs: WinogradBlock
  let gradients: WinogradBlock

  init(_ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: WinogradOutputGradient, _ cpu: CPU) {
    self.cpu = cpu
    kernels = cpu.kernels
    tiles = WinogradTiles(g)
    self.x = x
    self.dy = dy
    panels = (g.k + cpu.kernels.panelWidth - 1) / cpu.kernels.panelWidth
    let perTile = tiles.products * (g.c + panels * cpu.kernels.panelWidth)
    groups = tiles.weightGroups ?? 1
    let wished: Int
    if groups > 1 {
      // About 300 KB: the second-level cache also holds what is fetched for the next block.
      wished = max(1024 / tiles.products, 76_800 / perTile)
    } else if g.c * g.k <= WinogradSchedule.largestFilterPerTask {
      wished = 2304 / tiles.products
    } else {
      // 4 MB, so that sums in memory are seldom read and written.
      wished = max(4608 / tiles.products, 1 << 20 / perTile)
    }
    perBlock = min(tiles.count, wished)
    inputs = WinogradBlock(tiles, count: perBlock, tileStride: g.c)
    gradients = WinogradBlock(tiles, count: perBlock, tileStride: cpu.kernels.panelWidth)
  }

  private var g: ConvolutionGeometry { tiles.geometry }
  private var width: Int { kernels.panelWidth }
  private var points: Int { WinogradTiles.points }
  private var blockFloats: Int { inputs.floats + panels * gradients.floats }

  func run(into dw: UnsafeMutablePointer<Float>) {
    let sums = WinogradSums(g, groups: groups, on: cpu)
    if groups > 1 { sumByGroups(into: sums) } else { sumTogether(into: sums) }
    sums.finish(into: dw)
  }

  /// Each task has its own tiles: what it transforms stays in its processor's caches.
  private func sumByGroups(into sums: WinogradSums) {
    cpu.parallel(groups) { group in
      let own = group * tiles.count / groups..<(group + 1) * tiles.count / groups
      let scratch = WinogradScratch(cpu, floats: blockFloats)
      let (v, d) = (scratch.values, scratch.values + inputs.floats)
      for first in stride(from: own.lowerBound, to: own.upperBound, by: perBlock) {
        let block = first..<min(own.upperBound, first + perBlock)
        transform(block, at: 0, v, d, scratch)
        let next = block.upperBound..<min(own.upperBound, block.upperBound + perBlock)
        for panel in 0..<panels {
          addProducts(
            of: block.count, v, d + panel * gradients.floats, to: sums.panel(panel, group: group),
            sums.pointStride, accumulate: first > own.lowerBound, ahead: ahead(panel, next: next))
        }
      }
    }
  }

  /// Adds the products of so many tiles with a panel of outputs, point by point.
  private func addProducts(
    of count: Int, _ v: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    to sums: UnsafeMutablePointer<Float>, _ sumStride: Int, accumulate: Bool, ahead: (Lines, Lines)
  ) {
    for (number, part) in inputs.parts.enumerated() {
      let gradient = gradients.parts[number]
      let ahead = number == 0 ? ahead.0 : number == 1 ? ahead.1 : .none
      kernels.productByColumns(
        part.points.count, part.pointStride, gradient.pointStride, sumStride, g.c, 1,
        count * part.productsPerTile, v + part.offset, 0, g.c, d + gradient.offset, width,
        sums + part.points.lowerBound * sumStride, width, accumulate, nil, false, nil, false, false,
        ahead.start, ahead.count)
    }
  }

  /// What is fetched during the first two multiplications of a panel: at last, what the transforms of the next block read.
  private func ahead(_ panel: Int, next: Range<Int>) -> (Lines, Lines) {
    panel == panels - 1 ? (tiles.inputLines(next, of: x), dy.lines(next)) : (.none, .none)
  }

  /// For large filters, whose sums exist once: blocks of tiles are transformed by all threads, which then share points
  /// and panels.
  private func sumTogether(into sums: WinogradSums) {
    let buffer = cpu.makeBuffer(byteCount: blockFloats * 4)
    let v = buffer.address.assumingMemoryBound(to: Float.self)
    let d = v + inputs.floats
    let step = 4
    let parts = min(panels, (8 * cpu.threads + points - 1) / points)  // enough tasks for all threads
    for first in stride(from: 0, to: tiles.count, by: perBlock) {
      let block = first..<min(tiles.count, first + perBlock)
      cpu.parallel((block.count + step - 1) / step) { task in
        let scratch = WinogradScratch(cpu, floats: 0)
        let start = first + task * step
        transform(start..<min(block.upperBound, start + step), at: task * step, v, d, scratch)
      }
      let next = block.upperBound..<min(tiles.count, block.upperBound + perBlock)
      let (nextInputs, nextGradients) = (tiles.inputLines(next, of: x), dy.lines(next))
      let tasks = points * parts
      cpu.parallel(tasks) { task in
        // Points of many products first.
        let (part, point) = (task / points, points - 1 - task % points)
        multiply(
          point, panels: part * panels / parts..<(part + 1) * panels / parts, tiles: block.count, v, d,
          accumulate: first > 0, into: sums,
          ahead: (task % 2 == 0 ? nextInputs : nextGradients).part(task / 2, of: tasks / 2))
      }
    }
    withExtendedLifetime(buffer) {}
  }

  /// The products of one point for some panels. For many panels the channels are gathered first, so that their tiles
  /// stay in the first-level cache (those of up to four products per tile).
  private func multiply(
    _ point: Int, panels: Range<Int>, tiles: Int, _ v: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    accumulate: Bool, into sums: WinogradSums, ahead: Lines
  ) {
    let isGathered = panels.count >= 8
    let rowsPerBlock = isGathered ? 96 : g.c
    let (part, gradient) = (inputs.part(of: point), gradients.part(of: point))
    let (depth, number) = (tiles * part.productsPerTile, point - part.points.lowerBound)
    let (v, d) = (
      v + part.offset + number * part.pointStride, d + gradient.offset + number * gradient.pointStride
    )
    let buffer = isGathered ? cpu.makeBuffer(byteCount: rowsPerBlock * depth * 4) : nil
    let gathered = buffer?.address.assumingMemoryBound(to: Float.self)
    for start in stride(from: 0, to: g.c, by: rowsPerBlock) {
      let height = min(rowsPerBlock, g.c - start)
      if let gathered { kernels.gatherTiles(v, start, height, g.c, 0, 1, 0, depth, g.c, gathered, depth, 0) }
      for panel in panels {
        let ahead = start == 0 && panel == panels.lowerBound ? ahead : .none
        kernels.productByColumns(
          1, 0, 0, 0, height, 1, depth, gathered.map { UnsafePointer($0) } ?? v + start, 0,
          isGathered ? 0 : g.c,
          d + panel * gradients.floats, width,
          sums.panel(panel, group: 0) + point * sums.pointStride + start * width, width, accumulate, nil,
          false, nil, false, false, ahead.start, ahead.count)
      }
    }
    withExtendedLifetime(buffer) {}
  }

  /// Transforms tiles of the images and of dy; the first becomes number `at` of the block.
  private func transform(
    _ range: Range<Int>, at: Int, _ v: UnsafeMutablePointer<Float>, _ d: UnsafeMutablePointer<Float>,
    _ scratch: WinogradScratch
  ) {
    for tile in range {
      let at = at + tile - range.lowerBound
      tiles.transformInput(tile, of: x, into: v, inputs, at: at, kernels, scratch)
      for panel in 0..<panels {
        dy.transform(
          tile, channel: panel * width, into: d + panel * gradients.floats, gradients, at: at, scratch)
      }
    }
  }
}
