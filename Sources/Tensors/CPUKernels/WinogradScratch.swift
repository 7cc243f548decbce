import Devices

/// Memory of one task, from the device's pool.
struct WinogradScratch {
  private let buffer: Buffer
  private let width: Int
  /// At least 6x6 pixels of a panel, overwritten by the functions below.
  let patch: UnsafeMutablePointer<Float>
  /// 36 vectors for a transform.
  let vectors: UnsafeMutablePointer<Float>
  /// The floats that were asked for.
  let values: UnsafeMutablePointer<Float>

  init(_ cpu: CPU, floats: Int, _ g: ConvolutionGeometry) {
    width = cpu.kernels.panelWidth
    let patchFloats = 36 * max(g.c, width)
    buffer = cpu.makeBuffer(byteCount: (37 * width + patchFloats + floats) * 4)
    vectors = buffer.address.assumingMemoryBound(to: Float.self)
    patch = vectors + 37 * width
    values = patch + patchFloats
  }

  /// The 6x6 pixels of the input that a tile of the output reads; copied with zeros where they reach beyond the
  /// image.
  func inputPatch(
    _ place: (image: Int, row: Int, column: Int), _ x: UnsafePointer<Float>, _ g: ConvolutionGeometry
  ) -> (pointer: UnsafePointer<Float>, rowStride: Int) {
    let image = x + place.image * g.h * g.w * g.c
    let (row, column) = (place.row - g.padding, place.column - g.padding)
    if row >= 0, column >= 0, row + 6 <= g.h, column + 6 <= g.w {
      return (image + (row * g.w + column) * g.c, g.w * g.c)
    }
    copy(image, rows: g.h, columns: g.w, channels: g.c, from: (row, column), extent: 6)
    return (UnsafePointer(patch), 6 * g.c)
  }

  /// A square of pixels into the patch, zero where they reach beyond the image.
  private func copy(
    _ image: UnsafePointer<Float>, rows: Int, columns: Int, channels: Int, from: (row: Int, column: Int),
    extent: Int
  ) {
    let first = max(0, -from.column)
    let last = max(first, min(extent, columns - from.column))
    for i in 0..<extent {
      let target = patch + i * extent * channels
      let row = from.row + i
      guard row >= 0, row < rows, last > first else {
        target.update(repeating: 0, count: extent * channels)
        continue
      }
      target.update(repeating: 0, count: first * channels)
      (target + first * channels).update(
        from: image + (row * columns + from.column + first) * channels, count: (last - first) * channels)
      (target + last * channels).update(repeating: 0, count: (extent - last) * channels)
    }
  }

  /// A whole panel of the bias, zero where there is none.
  func bias(_ bias: UnsafePointer<Float>?, _ column: Int, of columns: Int) -> UnsafePointer<Float> {
    if let bias, column + width <= columns { return bias + column }
    patch.update(repeating: 0, count: width)
    if let bias { patch.update(from: bias + column, count: columns - column) }
    return UnsafePointer(patch)
  }
}
