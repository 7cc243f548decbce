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

  /// The rows of one class in one image. `dy` is that image's, with its halo.
  func run(
    _ c: Class, _ tile: TileProduct, _ dy: UnsafePointer<Float>, _ packed: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let rowStride = (g.outputWidth + 2 * halo) * g.k
    let depth = c.taps.columns * g.k
    let columns = (g.w - c.column + g.stride - 1) / g.stride
    for panel in 0..<(g.c + panelWidth - 1) / panelWidth {
      let channel = panel * panelWidth
      let weights = packed + c.offset + panel * c.taps.rows * depth * panelWidth
      for (i, row) in stride(from: c.row, to: g.h, by: g.stride).enumerated() {
        let first = (i + c.origin.row - (c.taps.rows - 1) + halo) * rowStride
        let start = dy + first + (c.origin.column - (c.taps.columns - 1) + halo) * g.k
        let offset = (row * g.w + c.column) * g.c + channel
        tile(
          segments: c.taps.rows, depth: depth, start, segmentStride: rowStride, stride: g.k, weights,
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
  ) throws {
    let plan = StridedInputGradient(g, panelWidth: kernels.panelWidth)
    let packed = weights.buffer.derived("strided \(g.stride) \(g.padding) \(instructionSet.rawValue)") {
      let buffer = makeBuffer(byteCount: max(1, plan.packedCount) * 4)
      plan.pack(weights.pointer, into: buffer.address.assumingMemoryBound(to: Float.self))
      return buffer
    }
    // dy as images that are padded by the halo.
    let spread = try ConvolutionGeometry(
      images: g.outputShape, weights: [1, 1, g.k, 1], stride: 1, padding: plan.halo)
    let tile = TileProduct(self)
    withPaddedImages(spread, dy) { dy, height, width in
      parallel(g.n * plan.classes.count) { task in
        let image = task / plan.classes.count
        let size = g.h * g.w * g.c
        plan.run(
          plan.classes[task % plan.classes.count], tile, dy + image * height * width * g.k,
          UnsafePointer(packed.address.assumingMemoryBound(to: Float.self)), into: dx + image * size,
          mask: mask.map { $0 + image * size })
      }
    }
    withExtendedLifetime(packed) {}
  }
}
