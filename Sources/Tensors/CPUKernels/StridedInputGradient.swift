import Devices

/// The input gradient of a convolution with any stride s. The pixels of dx whose row and column leave given
/// remainders by s see their own subset of the taps: they are a convolution of dy, with stride 1, with those taps
/// turned by 180 degrees. Nothing is multiplied with the zeros that spreading dy would put in.
struct StridedInputGradient {
  /// One pair of remainders.
  struct Class {
    /// Remainders of dx's row and column.
    let row: Int
    let column: Int
    /// Rows and columns of taps.
    let taps: (rows: Int, columns: Int)
    /// First tap in each direction; the others follow at the stride.
    let first: (row: Int, column: Int)
    /// Row and column of dy that the last, turned tap of the class's first pixel reads.
    let origin: (row: Int, column: Int)
    /// Where the class's packed weights begin, in floats.
    let offset: Int
  }

  let g: ConvolutionGeometry
  let classes: [Class]
  /// Zeros around dy, in pixels.
  let halo: Int
  /// Floats of all packed weights.
  let packedCount: Int
  private let panelWidth: Int

  init(_ g: ConvolutionGeometry, panelWidth: Int) {
    self.g = g
    self.panelWidth = panelWidth
    halo = (max(g.r, g.s) + g.stride - 1) / g.stride
    let panels = (g.c + panelWidth - 1) / panelWidth
    var classes: [Class] = []
    var offset = 0
    for row in 0..<min(g.stride, g.h) {
      for column in 0..<min(g.stride, g.w) {
        let first = ((row + g.padding) % g.stride, (column + g.padding) % g.stride)
        let taps = (
          rows: max(0, g.r - first.0 + g.stride - 1) / g.stride,
          columns: max(0, g.s - first.1 + g.stride - 1) / g.stride
        )
        classes.append(
          Class(
            row: row, column: column, taps: taps, first: first,
            origin: ((row + g.padding - first.0) / g.stride, (column + g.padding - first.1) / g.stride),
            offset: offset))
        offset += taps.rows * taps.columns * g.k * panels * panelWidth
      }
    }
    self.classes = classes
    packedCount = offset
  }

  /// Panels of C columns per class: taps in the order in which dy is read, K, panel.
  func pack(_ weights: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
    for c in classes {
      let depth = c.taps.rows * c.taps.columns * g.k
      for tap in 0..<c.taps.rows * c.taps.columns {
        let r = c.first.row + g.stride * (c.taps.rows - 1 - tap / c.taps.columns)
        let s = c.first.column + g.stride * (c.taps.columns - 1 - tap % c.taps.columns)
        let source = weights + (r * g.s + s) * g.c * g.k
        for channel in 0..<(g.c + panelWidth - 1) / panelWidth * panelWidth {
          let target = packed + c.offset + channel / panelWidth * depth * panelWidth + channel % panelWidth
          for k in 0..<g.k {
            target[(tap * g.k + k) * panelWidth] = channel < g.c ? source[channel * g.k + k] : 0
          }
        }
      }
    }
  }

  /// Rows of dx that a task fills: a multiple of the stride, and an image at once if there are enough images.
  func rowsPerTask(threads: Int) -> Int {
    let steps = (g.h + g.stride - 1) / g.stride
    let parts = max(1, min(steps, 4 * threads / max(1, g.n)))
    return (steps + parts - 1) / parts * g.stride
  }

  /// The rows of dy, counted from the halo's first, that rows of dx read.
  func rowsOfGradient(_ rows: Range<Int>) -> Range<Int> {
    let last = (rows.upperBound - 1) / g.stride
    let above = classes.map { $0.origin.row - ($0.taps.rows - 1) }.min() ?? 0
    let below = classes.map { $0.origin.row }.max() ?? 0
    return rows.lowerBound / g.stride + above + halo..<last + below + halo + 1
  }

  /// The pixels of one class in some rows of one image.
  func run(
    _ c: Class, rows: Range<Int>, _ tile: TileProduct, _ dy: PaddedRows, _ packed: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let depth = c.taps.columns * g.k
    let columns = (g.w - c.column + g.stride - 1) / g.stride
    for panel in 0..<(g.c + panelWidth - 1) / panelWidth {
      let channel = panel * panelWidth
      let weights = packed + c.offset + panel * c.taps.rows * depth * panelWidth
      for row in stride(from: rows.lowerBound + c.row, to: rows.upperBound, by: g.stride) {
        let first = row / g.stride + c.origin.row - (c.taps.rows - 1) + halo
        let start = dy.row(first) + (c.origin.column - (c.taps.columns - 1) + halo) * g.k
        let offset = (row * g.w + c.column) * g.c + channel
        tile(
          segments: c.taps.rows, depth: depth, start, segmentStride: dy.rowStride, stride: g.k, weights,
          into: OutputTile(
            pointer: dx + offset, rowStride: g.stride * g.c, rows: columns,
            columns: min(panelWidth, g.c - channel), accumulate: false),
          Epilogue(mask: mask.map { $0 + offset }))
      }
    }
  }
}

extension CPU {
  /// dx of any convolution; see ``StridedInputGradient``.
  func stridedInputGradient(
    _ g: ConvolutionGeometry, _ dy: UnsafePointer<Float>, _ weights: Tensor,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let plan = StridedInputGradient(g, panelWidth: kernels.panelWidth)
    let packed = weights.buffer.derived("strided \(g.stride) \(g.padding) \(instructionSet.rawValue)") {
      let buffer = makeBuffer(byteCount: max(1, plan.packedCount) * 4)
      plan.pack(weights.pointer, into: buffer.address.assumingMemoryBound(to: Float.self))
      return buffer
    }
    let filters = UnsafePointer(packed.address.assumingMemoryBound(to: Float.self))
    let tile = TileProduct(self, pairs: g.isPaired)
    let step = plan.rowsPerTask(threads: threads)
    let tasks = (g.h + step - 1) / step
    let used = plan.classes.filter { $0.taps.rows * $0.taps.columns > 0 }
    parallel(g.n * tasks) { task in
      let (image, first) = (task / tasks, task % tasks * step)
      let rows = first..<min(g.h, first + step)
      let (size, rowSize) = (g.h * g.w * g.c, g.w * g.c)
      let (dx, mask) = (dx + image * size, mask.map { $0 + image * size })
      let source = PaddedRows(
        of: dy + image * g.outputHeight * g.outputWidth * g.k, height: g.outputHeight, width: g.outputWidth,
        channels: g.k, padding: plan.halo, rows: plan.rowsOfGradient(rows), on: self)
      if used.count < plan.classes.count {  // pixels that no tap reaches
        (dx + first * rowSize).update(repeating: 0, count: rows.count * rowSize)
      }
      for c in used { plan.run(c, rows: rows, tile, source, filters, into: dx, mask: mask) }
      withExtendedLifetime(source) {}
    }
    withExtendedLifetime(packed) {}
  }
}
