import Devices

/// Direct convolutions on NHWC: the micro-kernel reads R segments of S * C contiguous values per output pixel,
/// so that nothing is gathered. Padded images are copied once into a buffer with a zero border.
extension CPU {
  /// y = conv(x, weights), then the epilogue. `weights` is packed with depth R * S * C.
  func convolve(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ weights: PackedSegments,
    into y: UnsafeMutablePointer<Float>, epilogue: Epilogue = Epilogue()
  ) {
    withPaddedImages(g, x) { x, height, width in
      let rowStride = width * g.c
      let rowsPerTask = max(1, min(g.outputHeight, 96 / max(1, g.outputWidth)))
      let rowTasks = (g.outputHeight + rowsPerTask - 1) / rowsPerTask
      let tile = TileProduct(self)  // made once: each load of a closure counts references
      parallel(g.n * rowTasks) { task in
        let image = x + task / rowTasks * height * rowStride
        let first = task % rowTasks * rowsPerTask
        for panel in 0..<weights.panels {
          for row in first..<min(g.outputHeight, first + rowsPerTask) {
            let offset = (task / rowTasks * g.outputHeight + row) * g.outputWidth * g.k
            convolveRow(
              tile, g, row, image + row * g.stride * rowStride, rowStride, weights, panel, y, offset, epilogue
            )
          }
        }
      }
    }
  }

  /// One row of the output, which starts at y + offset; kernel rows that lie in the padding are left out.
  private func convolveRow(
    _ tile: TileProduct, _ g: ConvolutionGeometry, _ row: Int, _ x: UnsafePointer<Float>, _ rowStride: Int,
    _ weights: PackedSegments, _ panel: Int, _ y: UnsafeMutablePointer<Float>, _ offset: Int,
    _ epilogue: Epilogue
  ) {
    let column = panel * weights.panelWidth
    let first = max(0, g.padding - row * g.stride)
    let taps = max(0, min(g.r, g.h + g.padding - row * g.stride) - first)
    tile(
      segments: taps, depth: g.s * g.c, x + first * rowStride, segmentStride: rowStride,
      stride: g.stride * g.c, weights.panel(panel) + first * g.s * g.c * weights.panelWidth,
      into: OutputTile(
        pointer: y + offset + column, rowStride: g.k, rows: g.outputWidth,
        columns: min(weights.panelWidth, g.k - column), accumulate: false),
      epilogue.part(column: column, offset: offset + column))
  }

  /// Calls `body` with images that have the padding in memory, and their height and width.
  func withPaddedImages(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ body: (UnsafePointer<Float>, Int, Int) -> Void
  ) {
    guard g.padding > 0 else { return body(x, g.h, g.w) }
    let height = g.h + 2 * g.padding
    let width = g.w + 2 * g.padding
    let buffer = makeBuffer(byteCount: max(1, g.n * height * width * g.c) * 4)
    let padded = buffer.address.assumingMemoryBound(to: Float.self)
    parallel(g.n * height) { task in
      let target = padded + task * width * g.c
      let row = task % height - g.padding
      guard (0..<g.h).contains(row) else { return target.update(repeating: 0, count: width * g.c) }
      let source = x + (task / height * g.h + row) * g.w * g.c
      let border = g.padding * g.c
      target.update(repeating: 0, count: border)
      (target + border).update(from: source, count: g.w * g.c)
      (target + border + g.w * g.c).update(repeating: 0, count: border)
    }
    body(padded, height, width)
    withExtendedLifetime(buffer) {}
  }
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
