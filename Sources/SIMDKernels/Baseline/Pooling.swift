// One row of windows of a max pool over NHWC images.

internal import CSIMD

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
    let (best, at) = (y + window * channels, winner + window * channels)
    var c = 0
    while c + width <= channels {
      poolVector(corner + c, best + c, at + c, channels, rows, columns, rowStride)
      c += width
    }
    while c < channels {
      poolValue(corner + c, best + c, at + c, channels, rows, columns, rowStride)
      c += 1
    }
  }
}

/// One window of a vector of channels.
@inline(__always)
private func poolVector(
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ winner: UnsafeMutablePointer<UInt8>,
  _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int
) {
  var largest = load(x)
  var numbers = Numbers.zero
  var number: UInt32 = 0
  for row in 0..<rows {
    for column in 0..<columns {
      takeLarger(&largest, &numbers, load(x + row * rowStride + column * channels), number)
      number &+= 1
    }
  }
  store(y, largest)
  vector_store_bytes(winner, numbers)
}

/// Takes over v and its number in the lanes where it is larger, or NaN.
@inline(__always)
func takeLarger(_ largest: inout Vector, _ numbers: inout Numbers, _ v: Vector, _ number: UInt32) {
  let isLarger = vector_larger(v, largest)
  largest = vector_select(isLarger, v, largest)
  numbers = vector_select_number(isLarger, number, numbers)
}

/// One window of one channel.
@inline(__always)
private func poolValue(
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ winner: UnsafeMutablePointer<UInt8>,
  _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int
) {
  var (largest, found) = (x[0], 0)
  for pixel in 1..<max(1, rows * columns) {
    let v = x[pixel / columns * rowStride + pixel % columns * channels]
    if v > largest || v != v { (largest, found) = (v, pixel) }
  }
  y[0] = largest
  winner[0] = UInt8(truncatingIfNeeded: found)
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
