// Products for processors that have no fused multiply-add: with SSE a product of a vector and a value takes four
// instructions, copy or load, shuffle, multiply, add, of which the peak counts two. Here every value of A is stored four
// times, so that nothing is shuffled, and one vector of B is multiplied with many rows.

internal import CSIMD

/// Rows of a tile: as many sums as leave registers for B and for a product.
private typealias Rows = InlineArray<12, Void>
private typealias One = InlineArray<1, Void>
private typealias Four = InlineArray<4, Void>
private typealias Quad = SIMD4<Float>

/// Rows of a tile of ``kernelProductRepeated``.
@inline(never) public func kernelRepeatedRows() -> Int { Rows.count }

/// Writes each value of a tile of A four times: [depth][rows][4]. Row i at depth k lies at A[i * rowStride + k * depthStride].
@inline(never)
public func kernelRepeat(
  _ a: UnsafePointer<Float>, _ rowStride: Int, _ depthStride: Int, _ depth: Int,
  _ repeated: UnsafeMutablePointer<Float>
) {
  var (a, target) = (a, repeated)
  var left = depth
  if depthStride == 1 {
    while left >= 4 {
      unrolled(Rows.self) { i in
        let values = loadQuad(a + i * rowStride)
        unrolled(Four.self) { k in
          storeQuad(target + 4 * (k * Rows.count + i), quad_repeating_lane(values, Int32(k)))
        }
      }
      a += 4
      target += 16 * Rows.count
      left -= 4
    }
  }
  while left > 0 {
    unrolled(Rows.self) { i in storeQuad(target + 4 * i, quad_repeating(a[i * rowStride])) }
    a += depthStride
    target += 4 * Rows.count
    left -= 1
  }
}

/// C = A * B for a tile of A from ``kernelRepeat`` and whole panels of B, `panelDistance` between them, each
/// [depth][panel]; added to C if `accumulate`. At least one depth.
@inline(never)
public func kernelProductRepeated(
  _ depth: Int, _ repeated: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ panels: Int,
  _ panelDistance: Int,
  _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool
) {
  for panel in 0..<panels {
    let (panelB, panelC) = (b + panel * panelDistance, c + panel * panelWidth)
    unrolled(Rows.self) { i in prefetch_near(panelC + i * cRowStride) }
    var next = panelB + panelDistance
    var column = 0
    repeat {
      // The loop's own instructions would cost 7 % with one depth per turn.
      if depth % 4 == 0 {
        columns(
          Rows.self, Four.self, depth, repeated, panelB + column, panelC + column, cRowStride, accumulate,
          next)
      } else {
        columns(
          Rows.self, One.self, depth, repeated, panelB + column, panelC + column, cRowStride, accumulate, next
        )
      }
      next += depth / 4 * panelWidth
      column += 4
    } while column < panelWidth
  }
}

/// Four columns of a tile, in turns of `Step` depths.
@inline(__always)
private func columns<let Count: Int, let Step: Int>(
  _ rows: InlineArray<Count, Void>.Type, _ depths: InlineArray<Step, Void>.Type, _ depth: Int,
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool, _ next: UnsafePointer<Float>
) {
  var sums = InlineArray<Count, Quad>(repeating: .zero)
  if accumulate { unrolled(rows) { i in sums[i] = loadQuad(c + i * cRowStride) } }
  var (a, b, next, left) = (a, b, next, depth)
  repeat {
    prefetch_near(next)
    next += panelWidth
    unrolled(depths) { k in
      let column = loadQuad(b + k * panelWidth)
      unrolled(rows) { i in
        sums[i] = quad_multiply_add(sums[i], loadQuad(a + 4 * (k * Count + i)), column)
      }
    }
    a += 4 * Step * Count
    b += Step * panelWidth
    left -= Step
  } while left > 0
  unrolled(rows) { i in storeQuad(c + i * cRowStride, sums[i]) }
}

@inline(__always) private func loadQuad(_ p: UnsafePointer<Float>) -> Quad {
  UnsafeRawPointer(p).loadUnaligned(as: Quad.self)
}
@inline(__always) private func storeQuad(_ p: UnsafeMutablePointer<Float>, _ v: Quad) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: Quad.self)
}
