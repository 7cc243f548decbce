import Devices

/// Memory of one task, from the device's pool.
struct WinogradScratch {
  private let buffer: Buffer
  private let width: Int
  /// 9x9 pixels of a panel, which ``bias(_:_:of:)`` overwrites.
  let patch: UnsafeMutablePointer<Float>
  /// 81 vectors for a transform.
  let vectors: UnsafeMutablePointer<Float>
  /// The floats that were asked for.
  let values: UnsafeMutablePointer<Float>

  init(_ cpu: CPU, floats: Int) {
    width = cpu.kernels.panelWidth
    buffer = cpu.makeBuffer(byteCount: (122 * width + floats) * 4)
    vectors = buffer.address.assumingMemoryBound(to: Float.self)
    patch = vectors + 41 * width
    values = patch + 81 * width
  }

  /// A whole panel of the bias, zero where there is none.
  func bias(_ bias: UnsafePointer<Float>?, _ column: Int, of columns: Int) -> UnsafePointer<Float> {
    if let bias, column + width <= columns { return bias + column }
    patch.update(repeating: 0, count: width)
    if let bias { patch.update(from: bias + column, count: columns - column) }
    return UnsafePointer(patch)
  }
}
