import Devices

extension CPU {
  /// dW of a convolution: the product of the image rows that each weight sees, transposed, with dy.
  ///
  /// Images are split into at most 16 groups (fewer for large filters), whatever the number of threads; each group has its own sum and
  /// the sums are added in order, so that results do not depend on the threads.
  func convolveWeightGradient(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    into dw: UnsafeMutablePointer<Float>
  ) {
    if usesWinograd(g) { return weightGradientWinograd(g, x, dy, into: dw) }
    if let kernels = winogradOfColors(g) { return weightGradientOfColors(kernels, g, x, dy, into: dw) }
    let job = DirectWeightGradient(g, x, dy, self)
    let size = g.r * g.s * g.c * job.columns
    let buffer = makeBuffer(byteCount: max(1, job.groups * size) * 4)
    let sums = buffer.address.assumingMemoryBound(to: Float.self)
    parallel(job.groups * job.parts) { task in
      let (group, part) = (task / job.parts, task % job.parts)
      job.sum(group: group, part: part, into: sums + group * size)
    }
    parallelRanges(g.r * g.s * g.c, grain: 16) { range in
      for row in range {
        let target = dw + row * g.k
        target.update(from: sums + row * job.columns, count: g.k)
        for group in 1..<max(1, job.groups) {
          let source = sums + group * size + row * job.columns
          for k in 0..<g.k { target[k] += source[k] }
        }
      }
    }
    withExtendedLifetime(buffer) {}
  }
}

/// The sums of groups of images.
private struct DirectWeightGradient {
  let cpu: CPU
  let g: ConvolutionGeometry
  let x: UnsafePointer<Float>
  let dy: UnsafePointer<Float>
  /// Columns of a sum: K, rounded up to whole panels.
  let columns: Int
  let groups: Int
  /// Tasks of a group; each has its own panels.
  let parts: Int
  private let panels: Int
  /// Whether pixels are joined in pairs of bfloat16, which takes a pass over dy and pays for as many rows.
  private let isPaired: Bool

  init(_ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ cpu: CPU) {
    (self.cpu, self.g, self.x, self.dy) = (cpu, g, x, dy)
    let width = cpu.kernels.panelWidth
    panels = (g.k + width - 1) / width
    columns = panels * width
    groups = max(1, min(16, g.n, (1 << 20) / (g.r * g.s * g.c * columns)))
    // Each part gathers x anew: as few as leave work for all threads and sums in the caches.
    parts = max(1, min(panels, max((columns + 511) / 512, (2 * cpu.threads + groups - 1) / groups)))
    rowsPerBlock = max(96, 10 * cpu.kernels.tileRows)
    // A panel of dy is to stay in the first-level cache, or with AVX-512 in the second; of so few rows it is read once or
    // twice, and blocks are better large.
    depth = g.r * g.s * g.c <= 2 * cpu.kernels.tileRows ? 1024 : width > 16 ? 512 : 320
    isPaired = cpu.multipliesPairs && g.r * g.s * g.c >= 128
  }

  /// Pixels of the output that are summed in one product, at most.
  private let depth: Int
  /// Rows of x that are gathered at a time: whole tiles.
  private let rowsPerBlock: Int

  /// The sum of a first layer's group, with all weights of an output in registers; false for other layers.
  private func sumInRegisters(images: Range<Int>, panels: Range<Int>, into sum: UnsafeMutablePointer<Float>)
    -> Bool
  {
    let (segment, width) = (g.s * g.c, cpu.kernels.panelWidth)
    guard let kernel = cpu.kernels.tapGradients, g.r == 3, [3, 9].contains(segment), g.k % width == 0,
      !isPaired, g.outputHeight > 0, g.outputWidth > 0
    else { return false }
    // Rows at a time whose dy stays in the first-level cache beside that of the next, which is fetched meanwhile.
    let rows = max(1, 64 / g.outputWidth)
    let outputs = segment == 3 ? width : width / 2
    for image in images {
      let source = PaddedRows(
        of: x + image * g.h * g.w * g.c, g, outputRows: 0..<g.outputHeight, on: cpu)
      for first in stride(from: 0, to: g.outputHeight, by: rows) {
        for column in stride(from: panels.lowerBound * width, to: panels.upperBound * width, by: outputs) {
          kernel(
            segment, min(rows, g.outputHeight - first), g.outputWidth, source.row(first * g.stride),
            g.stride * source.rowStride, source.rowStride, g.stride * g.c,
            dy + (image * g.outputHeight + first) * g.outputWidth * g.k + column, g.k, sum + column, columns,
            image > images.lowerBound || first > 0)
        }
      }
      withExtendedLifetime(source) {}
    }
    return true
  }

  /// The sum of a group for the panels of a part. Blocks are several images, or some rows of one.
  func sum(group: Int, part: Int, into sum: UnsafeMutablePointer<Float>) {
    let images = group * g.n / groups..<(group + 1) * g.n / groups
    let pixels = g.outputHeight * g.outputWidth
    let rowStep = max(1, min(g.outputHeight, self.depth / max(1, g.outputWidth)))
    let imageStep = rowStep == g.outputHeight ? max(1, self.depth / max(1, pixels)) : 1
    let depth = imageStep * rowStep * g.outputWidth
    let panels = part * self.panels / parts..<(part + 1) * self.panels / parts
    if sumInRegisters(images: images, panels: panels, into: sum) { return }
    let width = cpu.kernels.panelWidth
    let buffer = cpu.makeBuffer(
      byteCount: max(1, depth * (rowsPerBlock + panels.count * width)) * 4)
    let tiles = buffer.address.assumingMemoryBound(to: Float.self)
    var accumulate = false
    for image in stride(from: images.lowerBound, to: images.upperBound, by: imageStep) {
      for row in stride(from: 0, to: g.outputHeight, by: rowStep) {
        addBlock(
          images: image..<min(images.upperBound, image + imageStep),
          rows: row..<min(g.outputHeight, row + rowStep), panels: panels, tiles,
          packed: tiles + depth * rowsPerBlock, accumulate: accumulate, into: sum)
        accumulate = true
      }
    }
    withExtendedLifetime(buffer) {}
  }

  private func addBlock(
    images: Range<Int>, rows: Range<Int>, panels: Range<Int>, _ tiles: UnsafeMutablePointer<Float>,
    packed: UnsafeMutablePointer<Float>, accumulate: Bool, into sum: UnsafeMutablePointer<Float>
  ) {
    let width = cpu.kernels.panelWidth
    let count = g.r * g.s * g.c
    let perImage = rows.count * g.outputWidth
    let depth = images.count * perImage
    let first = (images.lowerBound * g.outputHeight + rows.lowerBound) * g.outputWidth
    let column = panels.lowerBound * width
    // dy is packed for many rows only; else it would be copied to be read about once.
    let isPacked = count > 200 || g.k % width != 0 || isPaired
    let gradients: (pointer: UnsafePointer<Float>, panel: Int, stride: Int)
    if isPacked {
      cpu.kernels.pack(
        dy + first * g.k + column, g.k, depth, min(g.k - column, panels.count * width), packed)
      let summed = pairDepths(packed, depth, widths: panels.map { _ in width })
      gradients = (UnsafePointer(packed), summed * width, width)
    } else {
      gradients = (dy + first * g.k + column, width, g.k)
    }
    let sources = images.map { image in
      PaddedRows(of: x + image * g.h * g.w * g.c, g, outputRows: rows, on: cpu)
    }
    for start in stride(from: 0, to: count, by: rowsPerBlock) {
      let height = min(rowsPerBlock, count - start)
      for (i, source) in sources.enumerated() {
        cpu.kernels.gatherTiles(
          source.row(rows.lowerBound * g.stride), start, height, g.s * g.c, source.rowStride, rows.count,
          g.stride * source.rowStride, g.outputWidth, g.stride * g.c, tiles, depth, i * perImage)
      }
      let summed = pairDepths(tiles, depth, widths: cpu.kernels.tileHeights(height))
      for panel in panels {
        cpu.kernels.productByColumns(
          1, 0, 0, 0, height, 1, summed, tiles, 0, 0,
          gradients.pointer + (panel - panels.lowerBound) * gradients.panel, gradients.stride,
          sum + start * columns + panel * width,
          columns, accumulate, nil, false, nil, false, isPaired, sum, 0)
      }
    }
    withExtendedLifetime(sources) {}
  }

  /// If paired, joins neighbouring depths of matrices (depth, width), which lie one after another and still do
  /// afterwards. Returns how many depths there are then.
  private func pairDepths(_ matrices: UnsafeMutablePointer<Float>, _ depth: Int, widths: [Int]) -> Int {
    guard isPaired, let pairRows = cpu.kernels.pairRows else { return depth }
    let paired = (depth + 1) / 2
    var column = 0
    for width in widths {
      pairRows(matrices + column * depth, depth, width, matrices + column * paired)
      column += width
    }
    return paired
  }
}
