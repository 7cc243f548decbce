import Devices

extension CPU {
  /// dW of a 3x3 convolution: per point the product of the transformed images, transposed, with the transformed
  /// dy, summed over tiles.
  ///
  /// - Parameter winners: see ``WinogradOutputGradient``.
  ///
  /// Blocks of tiles are transformed by all threads, which then share points and panels. Every sum runs over the
  /// tiles in order, so that it does not depend on the threads.
  func weightGradientWinograd(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    winners: UnsafePointer<UInt8>? = nil, into dw: UnsafeMutablePointer<Float>
  ) {
    let gradient = WinogradOutputGradient(
      kernels: kernels, tiles: WinogradTiles(g), dy: dy, winners: winners)
    WinogradWeightJob(g, x, gradient, self).run(into: dw)
  }
}

private struct WinogradWeightJob {
  let cpu: CPU
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let x: UnsafePointer<Float>
  let dy: WinogradOutputGradient
  let panels: Int
  let perBlock: Int

  init(_ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: WinogradOutputGradient, _ cpu: CPU) {
    self.cpu = cpu
    kernels = cpu.kernels
    tiles = WinogradTiles(g)
    self.x = x
    self.dy = dy
    panels = (g.k + cpu.kernels.panelWidth - 1) / cpu.kernels.panelWidth
    // About 4 MB of transformed tiles, and enough of them that the sums are seldom read and written.
    perBlock = min(tiles.count, max(128, 1 << 20 / (WinogradTiles.points * (g.c + g.k))))
  }

  private var g: ConvolutionGeometry { tiles.geometry }
  private var width: Int { kernels.panelWidth }
  private var points: Int { WinogradTiles.points }
  private var inputStride: Int { perBlock * g.c + 16 }
  private var outputStride: Int { perBlock * width + 16 }
  private var sumStride: Int { g.c * width }
  /// Tasks of a point, so that there are enough for all threads.
  private var parts: Int { min(panels, (8 * cpu.threads + points - 1) / points) }

  func run(into dw: UnsafeMutablePointer<Float>) {
    let (vCount, dCount) = (points * inputStride, points * panels * outputStride)
    let buffer = cpu.makeBuffer(byteCount: (vCount + dCount + points * panels * sumStride) * 4)
    let v = buffer.address.assumingMemoryBound(to: Float.self)
    let (d, sums) = (v + vCount, v + vCount + dCount)
    for first in stride(from: 0, to: tiles.count, by: perBlock) {
      let block = first..<min(tiles.count, first + perBlock)
      transform(block, v, d)
      cpu.parallel(points * parts) { task in
        let (part, point) = (task / points, task % points)
        multiply(
          point, panels: part * panels / parts..<(part + 1) * panels / parts, tiles: block.count,
          v + point * inputStride, d, accumulate: first > 0, into: sums)
      }
    }
    finish(sums, dw)
    withExtendedLifetime(buffer) {}
  }

  /// The products of one point for some panels. For many panels the channels are gathered first, so that their tiles
  /// stay in the first-level cache.
  private func multiply(
    _ point: Int, panels: Range<Int>, tiles: Int, _ v: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    accumulate: Bool, into sums: UnsafeMutablePointer<Float>
  ) {
    let isGathered = panels.count >= 8
    let rowsPerBlock = isGathered ? 96 : g.c
    let buffer = isGathered ? cpu.makeBuffer(byteCount: rowsPerBlock * tiles * 4) : nil
    let gathered = buffer?.address.assumingMemoryBound(to: Float.self)
    for start in stride(from: 0, to: g.c, by: rowsPerBlock) {
      let height = min(rowsPerBlock, g.c - start)
      if let gathered { kernels.gatherTiles(v, start, height, g.c, 0, 1, 0, tiles, g.c, gathered, tiles, 0) }
      for panel in panels {
        let at = panel * points + point
        kernels.productByColumns(
          1, 0, 0, 0, height, 1, tiles, gathered.map { UnsafePointer($0) } ?? v, 0, isGathered ? 0 : g.c,
          d + at * outputStride, sums + at * sumStride + start * width, width, accumulate, nil, false, nil,
          false)
      }
    }
    withExtendedLifetime(buffer) {}
  }

  private func transform(
    _ block: Range<Int>, _ v: UnsafeMutablePointer<Float>, _ d: UnsafeMutablePointer<Float>
  ) {
    let step = 4
    cpu.parallel((block.count + step - 1) / step) { task in
      let scratch = WinogradScratch(cpu, floats: 0, g)
      for tile in block.dropFirst(task * step).prefix(step) {
        let at = tile - block.lowerBound
        let source = scratch.inputPatch(tiles.place(tile), x, g)
        kernels.winogradInput(
          source.pointer, source.rowStride, g.c, g.c, v + at * g.c, inputStride, scratch.vectors)
        for panel in 0..<panels {
          dy.transform(
            tile, channel: panel * width, into: d + panel * points * outputStride + at * width,
            pointStride: outputStride, scratch)
        }
      }
    }
  }

  /// The filters' gradients from those of their points.
  private func finish(_ sums: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>) {
    cpu.parallel(panels * g.c) { task in
      let (panel, channel) = (task / g.c, task % g.c)
      let source = sums + panel * points * sumStride + channel * width
      let column = panel * width
      let target = dw + channel * g.k + column
      let count = min(width, g.k - column)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: (36 + 9) * width) { memory in
        let (scratch, aside) = (memory.baseAddress!, memory.baseAddress! + 36 * width)
        if count == width {
          kernels.winogradFilterGradient(source, sumStride, target, g.c * g.k, scratch)
          return
        }
        kernels.winogradFilterGradient(source, sumStride, aside, width, scratch)
        for tap in 0..<9 { (target + tap * g.c * g.k).update(from: aside + tap * width, count: count) }
      }
    }
  }
}
