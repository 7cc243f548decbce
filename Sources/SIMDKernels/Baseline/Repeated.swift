// Products for processors that have no fused multiply-add: with SSE a product of a vector and a value takes four
// instructions, copy or load, shuffle, multiply, add, of which the peak counts two. Here every value of A is stored four
// times, so that nothing is shuffled, and one vector of B is multiplied with many rows. Panels of B are one vector wide,
// and sums lie tile by tile, so that everything is read in the order in which it lies.

internal import CSIMD

/// Rows of a tile: as many sums as leave registers for B and for a product.
private typealias Rows = InlineArray<12, Void>
private typealias One = InlineArray<1, Void>
private typealias Four = InlineArray<4, Void>
/// Depths of a turn of the inner loop, whose own instructions would cost 7 % with one depth.
private typealias Turn = InlineArray<8, Void>
private typealias Quad = SIMD4<Float>

/// Rows of a tile of ``kernelProductRepeated``.
@inline(never) public func kernelRepeatedRows() -> Int { Rows.count }

/// Columns of a panel of ``kernelProductRepeated``.
@inline(never) public func kernelRepeatedColumns() -> Int { Four.count }

/// Writes each value of a tile of A four times: [depth][tile rows][4]. Row i at depth k lies at
/// A[i * rowStride + k * depthStride]; the last of `rows` fills the tile.
@inline(never)
public func kernelRepeat(
  _ a: UnsafePointer<Float>, _ rowStride: Int, _ depthStride: Int, _ rows: Int, _ depth: Int,
  _ repeated: UnsafeMutablePointer<Float>
) {
  var (a, target) = (a, repeated)
  var left = depth
  if depthStride == 1, rows == Rows.count {
    while left >= 4 {
      // The rows of the next tile, a cache line each.
      if left % 16 == 0 { unrolled(Rows.self) { i in prefetch_far(a + (i + Rows.count) * rowStride) } }
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
    for i in 0..<Rows.count { storeQuad(target + 4 * i, quad_repeating(a[min(i, rows - 1) * rowStride])) }
    a += depthStride
    target += 4 * Rows.count
    left -= 1
  }
}

/// Copies columns of B, row-major or, with `columnStride` other than 1, transposed, into panels, zero-padded, each
/// [depth][4].
@inline(never)
public func kernelPackRepeated(
  _ b: UnsafePointer<Float>, _ rowStride: Int, _ columnStride: Int, _ depth: Int, _ columns: Int,
  _ panels: UnsafeMutablePointer<Float>
) {
  var depths = 0
  // Four depths at a time fill cache lines of the panels, which often share cache sets.
  while columnStride == 1, depths + 4 <= depth {
    let rows = b + depths * rowStride
    for column in stride(from: 0, to: columns / 4 * 4, by: 4) {
      unrolled(Four.self) { k in
        storeQuad(panels + column * depth + 4 * (depths + k), loadQuad(rows + k * rowStride + column))
      }
    }
    depths += 4
  }
  for column in stride(from: 0, to: columns, by: 4) {
    let count = min(4, columns - column)
    for k in (count < 4 ? 0 : depths)..<depth {
      var values = Quad.zero
      for j in 0..<count { values[j] = b[k * rowStride + (column + j) * columnStride] }
      storeQuad(panels + column * depth + 4 * k, values)
    }
  }
}

/// Sums + A * B for a tile of A from ``kernelRepeat`` and panels of B, or A * B unless `accumulate`. Sums lie as
/// [panel][tile rows][4].
@inline(never)
public func kernelProductRepeated(
  _ depth: Int, _ repeated: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ panels: Int,
  _ sums: UnsafeMutablePointer<Float>, _ accumulate: Bool
) {
  var (b, results) = (b, sums)
  for _ in 0..<panels {
    var sums = InlineArray<12, Quad>(repeating: .zero)
    if accumulate { unrolled(Rows.self) { i in sums[i] = loadQuad(results + 4 * i) } }
    var (a, left) = (repeated, depth)
    while left >= Turn.count {
      multiplyAdd(Turn.self, a, b, &sums)
      a += 4 * Turn.count * Rows.count
      b += 4 * Turn.count
      left -= Turn.count
    }
    while left > 0 {
      multiplyAdd(One.self, a, b, &sums)
      a += 4 * Rows.count
      b += 4
      left -= 1
    }
    unrolled(Rows.self) { i in storeQuad(results + 4 * i, sums[i]) }
    results += 4 * Rows.count
  }
}

@inline(__always)
private func multiplyAdd<let Depths: Int>(
  _ depths: InlineArray<Depths, Void>.Type, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  _ sums: inout InlineArray<12, Quad>
) {
  unrolled(depths) { k in
    let column = loadQuad(b + 4 * k)
    unrolled(Rows.self) { i in
      sums[i] = quad_multiply_add(sums[i], loadQuad(a + 4 * (k * Rows.count + i)), column)
    }
  }
}

/// Bias, ReLU and mask, in this order, on the sums of a tile, which then are rows of C.
@inline(never)
public func kernelFinishRepeated(
  _ sums: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ c: UnsafeMutablePointer<Float>,
  _ cRowStride: Int, _ bias: UnsafePointer<Float>?, _ relu: Bool, _ mask: UnsafePointer<Float>?
) {
  for row in 0..<rows {
    for column in stride(from: 0, to: columns, by: 4) {
      let at = row * cRowStride + column
      let count = min(4, columns - column)
      var values = loadQuad(sums + column * Rows.count + 4 * row)
      if let bias { values += loadQuad(bias + column, count) }
      if relu { values.replace(with: 0, where: values .< 0) }
      if let mask { values.replace(with: 0, where: .!(loadQuad(mask + at, count) .> 0)) }
      storeQuad(c + at, values, count)
    }
  }
}

@inline(__always) private func loadQuad(_ p: UnsafePointer<Float>) -> Quad {
  UnsafeRawPointer(p).loadUnaligned(as: Quad.self)
}
@inline(__always) private func loadQuad(_ p: UnsafePointer<Float>, _ count: Int) -> Quad {
  if count == 4 { return loadQuad(p) }
  var values = Quad.zero
  for j in 0..<count { values[j] = p[j] }
  return values
}
@inline(__always) private func storeQuad(_ p: UnsafeMutablePointer<Float>, _ v: Quad, _ count: Int) {
  if count == 4 { return storeQuad(p, v) }
  for j in 0..<count { p[j] = v[j] }
}
@inline(__always) private func storeQuad(_ p: UnsafeMutablePointer<Float>, _ v: Quad) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: Quad.self)
}
