import Devices

/// Direct convolutions on NHWC: the micro-kernel reads R segments of S * C contiguous values per output pixel,
/// so that nothing is gathered. Where there is padding, each task copies the rows it reads with a border of zeros.
extension CPU {
  /// y = conv(x, weights), then the epilogue. `weights` is packed with depth R * S * C.
  func convolve(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ weights: PackedSegments,
    into y: UnsafeMutablePointer<Float>, epilogue: Epilogue = Epilogue()
  ) {
    // Tasks of about 100 pixels, or as many as read 64 KB if images are many.
    let fitting = (1 << 14) / max(1, g.stride * (g.w + 2 * g.padding) * g.c)
    let few = max(1, 96 / max(1, g.outputWidth))
    let rowsPerTask = min(g.outputHeight, g.n >= 4 * threads ? max(few, fitting) : few)
    let rowTasks = (g.outputHeight + rowsPerTask - 1) / rowsPerTask
    var epilogue = epilogue
    epilogue.streamed = streams(y, rows: g.n * g.outputHeight * g.outputWidth, columns: g.k)
    let tile = TileProduct(self, pairs: g.isPaired)  // made once: each load of a closure counts references
    parallel(g.n * rowTasks) { task in
      let (image, first) = (task / rowTasks, task % rowTasks * rowsPerTask)
      let rows = first..<min(g.outputHeight, first + rowsPerTask)
      let source = PaddedRows(of: x + image * g.h * g.w * g.c, g, outputRows: rows, on: self)
      for panel in 0..<weights.panels {
        for row in rows {
          let offset = (image * g.outputHeight + row) * g.outputWidth * g.k
          convolveRow(tile, g, row, source, weights, panel, y, offset, epilogue)
        }
      }
      withExtendedLifetime(source) {}
    }
  }

  /// One row of the output, which starts at y + offset; kernel rows that lie in the padding are left out.
  private func convolveRow(
    _ tile: TileProduct, _ g: ConvolutionGeometry, _ row: Int, _ source: PaddedRows,
    _ weights: PackedSegments,
    _ panel: Int, _ y: UnsafeMutablePointer<Float>, _ offset: Int, _ epilogue: Epilogue
  ) {
    let column = panel * weights.panelWidth
    let first = max(0, g.padding - row * g.stride)
    let taps = max(0, min(g.r, g.h + g.padding - row * g.stride) - first)
    tile(
      segments: taps, depth: g.s * g.c, source.row(row * g.stride + first), segmentStride: source.rowStride,
      stride: g.stride * g.c, weights.panel(panel) + first * g.s * g.c * weights.panelWidth,
      into: OutputTile(
        pointer: y + offset + column, rowStride: g.k, rows: g.outputWidth,
        columns: min(weights.panelWidth, g.k - column), accumulate: false),
      epilogue.part(column: column, offset: offset + column))
  }
}

/// Rows of one image with zeros around it, counted from the first row of the padding.
struct PaddedRows {
  private let buffer: Buffer?
  private let start: UnsafePointer<Float>
  private let first: Int
  /// Floats between rows.
  let rowStride: Int

  /// - Parameters:
  ///   - image: (height, width * channels).
  ///   - rows: those that are needed; without padding they lie in the image and nothing is copied.
  ///   - paddedWidth: pixels of a row, if more than those of the image and its padding: then rows are copied.
  init(
    of image: UnsafePointer<Float>, height: Int, width: Int, channels: Int, padding: Int, rows: Range<Int>,
    paddedWidth: Int = 0, on cpu: CPU
  ) {
    let right = max(padding, paddedWidth - padding - width) * channels
    rowStride = (padding + width) * channels + right
    let isCopied = padding > 0 || right > 0 || rows.upperBound > height
    first = isCopied ? rows.lowerBound : 0
    guard isCopied else {
      (buffer, start) = (nil, image)
      return
    }
    let buffer = cpu.makeBuffer(byteCount: max(1, rows.count * rowStride) * 4)
    self.buffer = buffer
    var target = buffer.address.assumingMemoryBound(to: Float.self)
    start = UnsafePointer(target)
    let border = padding * channels
    for row in rows {
      if (padding..<padding + height).contains(row) {
        target.update(repeating: 0, count: border)
        (target + border).update(from: image + (row - padding) * width * channels, count: width * channels)
        (target + border + width * channels).update(repeating: 0, count: right)
      } else {
        target.update(repeating: 0, count: rowStride)
      }
      target += rowStride
    }
  }

  /// The rows of a convolution's input that given rows of its output read.
  init(of image: UnsafePointer<Float>, _ g: ConvolutionGeometry, outputRows: Range<Int>, on cpu: CPU) {
    self.init(
      of: image, height: g.h, width: g.w, channels: g.c, padding: g.padding,
      rows: outputRows.lowerBound * g.stride..<(outputRows.upperBound - 1) * g.stride + g.r, on: cpu)
  }

  /// The start of a row.
  func row(_ row: Int) -> UnsafePointer<Float> { start + (row - first) * rowStride }
}

/// Weights (depth, columns) in panels whose whole depth is contiguous, as the convolution reads them.
struct PackedSegments {
  let buffer: Buffer
  let depth: Int
  let columns: Int
  let panelWidth: Int

  var panels: Int { (columns + panelWidth - 1) / panelWidth }

  func panel(_ panel: Int) -> UnsafePointer<Float> {
    UnsafePointer(buffer.address.assumingMemoryBound(to: Float.self)) + panel * depth * panelWidth
  }

  /// The packed form of convolution weights, kept for parameters until they change.
  static func forward(_ weights: Tensor, on cpu: CPU) -> PackedSegments {
    let depth = weights.shape[0] * weights.shape[1] * weights.shape[2]
    return of(weights, "forward", depth, weights.shape[3], on: cpu) { weights.pointer }
  }

  /// The packed weights of the input gradient as a convolution: rotated by 180 degrees, C and K exchanged.
  static func rotated(_ weights: Tensor, on cpu: CPU) -> PackedSegments {
    let (r, s, c, k) = (weights.shape[0], weights.shape[1], weights.shape[2], weights.shape[3])
    let scratch = cpu.makeBuffer(byteCount: weights.shape.count * 4)
    return of(weights, "rotated", r * s * k, c, on: cpu) {
      let rotated = scratch.address.assumingMemoryBound(to: Float.self)
      for tap in 0..<r * s {
        let source = weights.pointer + (r * s - 1 - tap) * c * k
        for i in 0..<c { for j in 0..<k { rotated[(tap * k + j) * c + i] = source[i * k + j] } }
      }
      return rotated
    }
  }

  private static func of(
    _ weights: Tensor, _ key: String, _ depth: Int, _ columns: Int, on cpu: CPU,
    matrix: () -> UnsafeMutablePointer<Float>
  ) -> PackedSegments {
    let width = cpu.kernels.panelWidth
    let buffer = weights.buffer.derived("conv \(key) \(cpu.instructionSet.rawValue)") {
      let padded = (columns + width - 1) / width * width
      let buffer = cpu.makeBuffer(byteCount: max(1, depth * padded) * 4)
      cpu.kernels.pack(matrix(), columns, depth, columns, buffer.address.assumingMemoryBound(to: Float.self))
      return buffer
    }
    return PackedSegments(buffer: buffer, depth: depth, columns: columns, panelWidth: width)
  }
}
