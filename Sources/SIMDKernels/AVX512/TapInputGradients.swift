// Input gradients of first layers with one channel: so few columns that a product of matrices would leave most lanes idle.
// Instead each lane sums over some of the outputs, with all weights in registers, and the lanes are added at the end.

internal import CSIMD

/// One row of dx, of `count` (at least 16) pixels, of a 3x3 convolution with stride 1.
///
/// dx[x] = the sum over taps (r, s) and outputs of dy[(x + padding - s) * outputs - r * dyRow + output] *
/// weights[(3 r + s) * outputs + output], where only rows of taps from `first` up to `end` and pixels of dy from 0 up to
/// `pixels` exist.
///
/// - Parameters:
///   - outputs: whole panels.
///   - padding: at most 2, with `count` = `pixels` + 2 - 2 `padding`.
///   - scratch: 16 (`pixels` + 2) floats.
@inline(never)
public func kernelTapInputGradient(
  _ dy: UnsafePointer<Float>, _ dyRow: Int, _ first: Int, _ end: Int, _ pixels: Int, _ outputs: Int,
  _ weights: UnsafePointer<Float>, _ padding: Int, _ dx: UnsafeMutablePointer<Float>, _ count: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  var output = 0
  while output < outputs {
    addTaps(
      dy + output, dyRow, first, end, pixels, outputs, weights + output, scratch, accumulate: output > 0)
    output += panelWidth
  }
  forVectors(count) { x in store(dx + x, vector_lane_sums(scratch + (x + padding) * width)) }
}

private typealias Panel = InlineArray<2, Vector>

/// The weights of a row of taps for a panel of outputs.
private struct Row {
  private var s0, s1, s2: Panel

  /// Zero if the row does not exist.
  @inline(__always) init(_ weights: UnsafePointer<Float>, _ outputs: Int, exists: Bool) {
    (s0, s1, s2) = (Panel(repeating: .zero), Panel(repeating: .zero), Panel(repeating: .zero))
    guard exists else { return }
    for v in 0..<2 {
      s0[v] = load(weights + v * width)
      s1[v] = load(weights + outputs + v * width)
      s2[v] = load(weights + 2 * outputs + v * width)
    }
  }

  /// Adds what a pixel of dy contributes to three pixels of dx.
  @inline(__always)
  func add(_ dy: UnsafePointer<Float>, _ v: Int, _ a0: inout Panel, _ a1: inout Panel, _ a2: inout Panel) {
    let d = load(dy + v * width)
    multiplyAdd(&a0[v], d, s0[v])
    multiplyAdd(&a1[v], d, s1[v])
    multiplyAdd(&a2[v], d, s2[v])
  }
}

/// Sums over a panel of outputs, one vector per pixel of dx with its padding; added to what is there if `accumulate`.
@inline(__always)
private func addTaps(
  _ dy: UnsafePointer<Float>, _ dyRow: Int, _ first: Int, _ end: Int, _ pixels: Int, _ outputs: Int,
  _ weights: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, accumulate: Bool
) {
  func exists(_ r: Int) -> Bool { first <= r && r < end }
  let row0 = Row(weights, outputs, exists: exists(0))
  let row1 = Row(weights + 3 * outputs, outputs, exists: exists(1))
  let row2 = Row(weights + 6 * outputs, outputs, exists: exists(2))
  // In place of a row that does not exist one that does.
  var dy0 = dy - (exists(0) ? 0 : first) * dyRow
  var dy1 = dy - (exists(1) ? 1 : first) * dyRow
  var dy2 = dy - (exists(2) ? 2 : first) * dyRow
  var sums = sums
  var (a0, a1, a2) = (Panel(repeating: .zero), Panel(repeating: .zero), Panel(repeating: .zero))
  func put(_ a: Panel) {
    store(sums, accumulate ? load(sums) + (a[0] + a[1]) : a[0] + a[1])
    sums += width
  }
  var left = pixels
  repeat {
    for v in 0..<2 {
      prefetch_near(dy0 + dyRow + v * width)
      row0.add(dy0, v, &a0, &a1, &a2)
      row1.add(dy1, v, &a0, &a1, &a2)
      row2.add(dy2, v, &a0, &a1, &a2)
    }
    put(a0)
    (a0, a1, a2) = (a1, a2, Panel(repeating: .zero))
    dy0 += outputs
    dy1 += outputs
    dy2 += outputs
    left -= 1
  } while left > 0
  put(a0)
  put(a1)
}
