// One row of windows of a max pool over NHWC images. The loops over channels are plain: the compiler turns them
// into vector code for each instruction set.

/// The largest value of each window and the number, within its window, of the pixel that holds it first.
///
/// - Parameters:
///   - windows: windows of the row, `step` values apart in x.
///   - rowStride: values between rows of x.
@inline(never)
public func kernelMaxPool(
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ winner: UnsafeMutablePointer<UInt8>,
  _ windows: Int, _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
) {
  for window in 0..<windows {
    let corner = x + window * step
    let best = y + window * channels
    let at = winner + window * channels
    for c in 0..<channels {
      best[c] = corner[c]
      at[c] = 0
    }
    for pixel in 1..<max(1, rows * columns) {
      let source = corner + pixel / columns * rowStride + pixel % columns * channels
      let number = UInt8(truncatingIfNeeded: pixel)
      for c in 0..<channels {
        let v = source[c]
        let isLarger = v > best[c] || v != v
        best[c] = isLarger ? v : best[c]
        at[c] = isLarger ? number : at[c]
      }
    }
  }
}

/// The gradient by x where windows do not overlap: dy at each winner, 0 at the window's other pixels.
@inline(never)
public func kernelMaxPoolGradient(
  _ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>, _ dx: UnsafeMutablePointer<Float>,
  _ windows: Int, _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
) {
  for window in 0..<windows {
    let source = dy + window * channels
    let at = winner + window * channels
    for pixel in 0..<rows * columns {
      let target = dx + window * step + pixel / columns * rowStride + pixel % columns * channels
      let number = UInt8(truncatingIfNeeded: pixel)
      for c in 0..<channels { target[c] = at[c] == number ? source[c] : 0 }
    }
  }
}
