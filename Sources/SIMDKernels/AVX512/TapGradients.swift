// Weight gradients of first layers: few weights per output, all of whose sums fit the registers.

internal import CSIMD

private typealias Three = InlineArray<3, Void>
private typealias Nine = InlineArray<9, Void>

/// Sums of three rows of taps with `segment` (3 or 9) weights each, for 32 or 16 outputs.
///
/// sums[(3 rows of taps, segment)][outputs] = the sum over `rows` rows of `pixels` pixels of
/// x[row * xRow + tap * xTap + pixel * xPixel + i] * dy[(row * pixels + pixel) * dyPixel + output], added to what is
/// there if `accumulate`; rows of sums are `sumsRow` apart. What follows in dy, as much again, is fetched meanwhile.
@inline(never)
public func kernelTapGradients(
  _ segment: Int, _ rows: Int, _ pixels: Int, _ x: UnsafePointer<Float>, _ xRow: Int, _ xTap: Int,
  _ xPixel: Int, _ dy: UnsafePointer<Float>, _ dyPixel: Int, _ sums: UnsafeMutablePointer<Float>,
  _ sumsRow: Int, _ accumulate: Bool
) {
  if segment == 9 {
    tapGradients(
      Nine.self, rows, pixels, x, xRow, xTap, xPixel, dy, dyPixel, sums, sumsRow, accumulate)
  } else {
    tapGradients(
      Three.self, rows, pixels, x, xRow, xTap, xPixel, dy, dyPixel, sums, sumsRow, accumulate)
    tapGradients(
      Three.self, rows, pixels, x, xRow, xTap, xPixel, dy + width, dyPixel, sums + width, sumsRow, accumulate)
  }
}

@inline(__always)
private func tapGradients<let Segment: Int>(
  _ segment: InlineArray<Segment, Void>.Type, _ rows: Int, _ pixels: Int, _ x: UnsafePointer<Float>,
  _ xRow: Int, _ xTap: Int, _ xPixel: Int, _ dy: UnsafePointer<Float>, _ dyPixel: Int,
  _ sums: UnsafeMutablePointer<Float>, _ sumsRow: Int, _ accumulate: Bool
) {
  var s0 = InlineArray<Segment, Vector>(repeating: .zero)
  var s1 = InlineArray<Segment, Vector>(repeating: .zero)
  var s2 = InlineArray<Segment, Vector>(repeating: .zero)
  if accumulate {
    unrolled(segment) { i in
      s0[i] = load(sums + i * sumsRow)
      s1[i] = load(sums + (Segment + i) * sumsRow)
      s2[i] = load(sums + (2 * Segment + i) * sumsRow)
    }
  }
  var (line, dy) = (x, dy)
  let ahead = rows * pixels * dyPixel
  var rowsLeft = rows
  repeat {
    var (x0, x1, x2) = (line, line + xTap, line + 2 * xTap)
    var pixelsLeft = pixels
    repeat {
      prefetch_near(dy + ahead)
      let d = load(dy)
      unrolled(segment) { i in
        multiplyAdd(&s0[i], vector_repeating(x0[i]), d)
        multiplyAdd(&s1[i], vector_repeating(x1[i]), d)
        multiplyAdd(&s2[i], vector_repeating(x2[i]), d)
      }
      x0 += xPixel
      x1 += xPixel
      x2 += xPixel
      dy += dyPixel
      pixelsLeft -= 1
    } while pixelsLeft > 0
    line += xRow
    rowsLeft -= 1
  } while rowsLeft > 0
  unrolled(segment) { i in
    store(sums + i * sumsRow, s0[i])
    store(sums + (Segment + i) * sumsRow, s1[i])
    store(sums + (2 * Segment + i) * sumsRow, s2[i])
  }
}
