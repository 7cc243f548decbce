// Winograd's algorithm for 3x3 convolutions with stride 2. In each dimension an output reads three pixels: the outer two
// taps meet every second pixel, as a filter of two taps with stride 1, of which F(4, 2) makes 4 outputs from 5 products;
// the inner tap meets the pixels between, at one product per output. Nested, a 4x4 tile takes 81 products instead of 144,
// from 9x9 pixels. Filters that meet several pixels are stored once, so that there are 36 again:
//
//   points 0 to 24: outer taps in both dimensions, one product per tile
//   points 25 to 29: outer taps of rows, inner tap of columns, 4 products per tile
//   points 30 to 34: inner tap of rows, outer taps of columns, 4 products per tile
//   point 35: inner taps, 16 products per tile
//
// Products of a point lie together, those of a tile beside each other: a point of 4 products takes 4 times the memory.
//
// The interpolation points are +-1/2, +-5/4 and infinity, with about the rounding error of a direct sum. Parameters are
// those of Winograd.swift; `scratch` holds 81 vectors.

internal import CSIMD

typealias FiveVectors = (Vector, Vector, Vector, Vector, Vector)

@inline(__always) private var p: Float { 0.5 }
@inline(__always) private var q: Float { 1.25 }
@inline(__always) private var p2: Float { p * p }
@inline(__always) private var q2: Float { q * q }
@inline(__always) private var scaleP: Float { 1 / (2 * p * (p2 - q2)) }
@inline(__always) private var scaleQ: Float { 1 / (2 * q * (q2 - p2)) }

/// c + a * b
@inline(__always) private func sum(_ c: Vector, _ a: Vector, _ b: Float) -> Vector {
  vector_multiply_add(c, a, vector_repeating(b))
}

/// B^T d
@inline(__always) private func input(_ d: FiveVectors) -> FiveVectors {
  let (even1, odd1) = (sum(d.3, d.1, -q2), sum(d.2, d.0, -q2))
  let (even2, odd2) = (sum(d.3, d.1, -p2), sum(d.2, d.0, -p2))
  return (
    sum(even1, odd1, p), sum(even1, odd1, -p), sum(even2, odd2, q), sum(even2, odd2, -q),
    sum(sum(d.4, d.2, -(p2 + q2)), d.0, p2 * q2)
  )
}

/// A^T m
@inline(__always) private func output(_ m: FiveVectors) -> FourVectors {
  let (s1, d1, s2, d2) = (m.0 + m.1, m.0 - m.1, m.2 + m.3, m.2 - m.3)
  return (s1 + s2, sum(d1 * p, d2, q), sum(s1 * p2, s2, q2), sum(sum(m.4, d1, p * p2), d2, q * q2))
}

/// B m
@inline(__always) private func inputGradient(_ m: FiveVectors) -> FiveVectors {
  let (s1, d1, s2, d2) = (m.0 + m.1, m.0 - m.1, m.2 + m.3, m.2 - m.3)
  return (
    sum(sum(m.4 * (p2 * q2), d1, -p * q2), d2, -q * p2), sum(s1 * -q2, s2, -p2),
    sum(sum(m.4 * -(p2 + q2), d1, p), d2, q), s1 + s2, m.4
  )
}

/// A y
@inline(__always) private func outputGradient(_ y: FourVectors) -> FiveVectors {
  let (even1, odd1) = (sum(y.0, y.2, p2), sum(y.1, y.3, p2))
  let (even2, odd2) = (sum(y.0, y.2, q2), sum(y.1, y.3, q2))
  return (sum(even1, odd1, p), sum(even1, odd1, -p), sum(even2, odd2, q), sum(even2, odd2, -q), y.3)
}

/// G g
@inline(__always) private func filter(_ g0: Vector, _ g1: Vector) -> FiveVectors {
  let (a, b, c, d) = (g0 * scaleP, g1 * (p * scaleP), g0 * scaleQ, g1 * (q * scaleQ))
  return (b + a, b - a, d + c, d - c, g1)
}

/// G^T u
@inline(__always) private func filterGradient(_ u: FiveVectors) -> (Vector, Vector) {
  let (s1, d1, s2, d2) = (u.0 + u.1, u.0 - u.1, u.2 + u.3, u.2 - u.3)
  return (sum(d1 * scaleP, d2, scaleQ), sum(sum(u.4, s1, p * scaleP), s2, q * scaleQ))
}

@inline(__always) private func five(_ at: UnsafePointer<Float>, _ step: Int) -> FiveVectors {
  (load(at), load(at + step), load(at + 2 * step), load(at + 3 * step), load(at + 4 * step))
}
@inline(__always) private func four(_ at: UnsafePointer<Float>, _ step: Int) -> FourVectors {
  (load(at), load(at + step), load(at + 2 * step), load(at + 3 * step))
}
@inline(__always) private func put(_ v: FiveVectors, _ at: UnsafeMutablePointer<Float>, _ step: Int) {
  store(at, v.0)
  store(at + step, v.1)
  store(at + 2 * step, v.2)
  store(at + 3 * step, v.3)
  store(at + 4 * step, v.4)
}
@inline(__always) private func put(_ v: FourVectors, _ at: UnsafeMutablePointer<Float>, _ step: Int) {
  store(at, v.0)
  store(at + step, v.1)
  store(at + 2 * step, v.2)
  store(at + 3 * step, v.3)
}

/// Where the products of a tile lie. In each dimension products 0 to 4 are those of the outer taps, 5 to 8 those of the
/// inner one.
private struct Places {
  private let outer: Int
  private let mixed: Int
  private let inner: Int
  let pointStride: Int
  let tileStride: Int

  @inline(__always) init(_ pointStride: Int, _ tile: Int, _ tileStride: Int) {
    self.pointStride = pointStride
    self.tileStride = tileStride
    outer = tile * tileStride
    mixed = 25 * pointStride + 4 * tile * tileStride
    inner = 65 * pointStride + 16 * tile * tileStride
  }

  /// The first outer product of column j, and what is between them.
  @inline(__always) func outer(_ j: Int) -> (start: Int, step: Int) {
    j < 5
      ? (outer + j * pointStride, 5 * pointStride) : (mixed + (j - 5) * tileStride, 4 * pointStride)
  }

  /// The first inner product of column j, and what is between them.
  @inline(__always) func inner(_ j: Int) -> (start: Int, step: Int) {
    j < 5
      ? (mixed + (5 + j) * 4 * pointStride, tileStride) : (inner + (j - 5) * tileStride, 4 * tileStride)
  }
}

/// One 9x9 tile of the input; see ``kernelWinogradInput``.
@inline(never)
public func kernelStridedWinogradInput(
  _ x: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ firstRow: Int, _ firstColumn: Int,
  _ rows: Int, _ columns: Int, _ channels: Int, _ v: UnsafeMutablePointer<Float>, _ pointStride: Int,
  _ tile: Int, _ tileStride: Int, _ scratch: UnsafeMutablePointer<Float>
) {
  let places = Places(pointStride, tile, tileStride)
  prefetchPixels(x + 9 * pixelStride, rowStride, rows: 9, 8 * pixelStride)
  let zeros: (FiveVectors, FourVectors) = (
    (.zero, .zero, .zero, .zero, .zero), (.zero, .zero, .zero, .zero)
  )
  forVectors(channels) { c in
    for i in 0..<9 {
      let isInside = i >= firstRow && i < rows
      let r = isInside ? row(x + c + i * rowStride, pixelStride, firstColumn, columns) : zeros
      put(r.0, scratch + i * width, 9 * width)
      put(r.1, scratch + (45 + i) * width, 9 * width)
    }
    for j in 0..<9 {
      let column = scratch + j * 9 * width
      let (outer, inner) = (places.outer(j), places.inner(j))
      put(input(five(column, 2 * width)), v + c + outer.start, outer.step)
      put(four(column + width, 2 * width), v + c + inner.start, inner.step)
    }
  }
}

/// B^T of the even pixels of a row, and the odd ones. Only pixels from `first`, at most 2, up to `end` count.
@inline(__always)
private func row(
  _ x: UnsafePointer<Float>, _ step: Int, _ first: Int, _ end: Int
) -> (FiveVectors, FourVectors) {
  if first < 1, end > 8 { return (input(five(x, 2 * step)), four(x + step, 2 * step)) }
  let even: FiveVectors = (
    first < 1 ? load(x) : .zero, end > 2 ? load(x + 2 * step) : .zero, end > 4 ? load(x + 4 * step) : .zero,
    end > 6 ? load(x + 6 * step) : .zero, end > 8 ? load(x + 8 * step) : .zero
  )
  return (
    input(even),
    (
      first < 2 && end > 1 ? load(x + step) : .zero, end > 3 ? load(x + 3 * step) : .zero,
      end > 5 ? load(x + 5 * step) : .zero, end > 7 ? load(x + 7 * step) : .zero
    )
  )
}

/// A 4x4 tile of the output from 81 products; see ``kernelWinogradOutput``.
@inline(never)
public func kernelStridedWinogradOutput(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ tile: Int, _ y: UnsafeMutablePointer<Float>,
  _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int, _ channels: Int,
  _ bias: UnsafePointer<Float>, _ relu: Bool, _ streamed: Bool, _ scratch: UnsafeMutablePointer<Float>
) {
  let places = Places(pointStride, tile, panelWidth)
  let floor = vector_repeating(relu ? 0 : -.infinity)
  let streams = streamed && columns == 4 && channels == panelWidth
  if !streams { prefetchPanels(y + 4 * pixelStride, rowStride, pixelStride) }
  var c = 0
  while c < channels {
    for j in 0..<9 {
      let (outer, inner) = (places.outer(j), places.inner(j))
      put(
        output(five(m + c + outer.start, outer.step)) + four(m + c + inner.start, inner.step),
        scratch + j * width, 9 * width)
    }
    for i in 0..<rows {
      let row = scratch + 9 * i * width
      finishPixels(
        output(five(row, width)) + four(row + 5 * width, width), load(bias + c), floor,
        y + i * rowStride + c, pixelStride, columns, channels - c, streams, scratch + 36 * width)
    }
    c += width
  }
}

@inline(__always) private func + (_ a: FourVectors, _ b: FourVectors) -> FourVectors {
  (a.0 + b.0, a.1 + b.1, a.2 + b.2, a.3 + b.3)
}

/// One 4x4 tile of the output's gradient; see ``kernelWinogradOutputGradient``.
@inline(never)
public func kernelStridedWinogradOutputGradient(
  _ dy: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int,
  _ d: UnsafeMutablePointer<Float>, _ pointStride: Int, _ tile: Int, _ tileStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  let places = Places(pointStride, tile, tileStride)
  prefetchPanels(dy + 4 * pixelStride, rowStride, pixelStride)
  forVectors(panelWidth) { c in
    for i in 0..<4 {
      let values = pixels(dy + c + i * rowStride, pixelStride, i < rows ? columns : 0)
      put(outputGradient(values), scratch + i * width, 4 * width)
      put(values, scratch + (20 + i) * width, 4 * width)
    }
    for j in 0..<9 {
      let (outer, inner) = (places.outer(j), places.inner(j))
      let values = four(scratch + 4 * j * width, width)
      put(outputGradient(values), d + c + outer.start, outer.step)
      put(values, d + c + inner.start, inner.step)
    }
  }
}

/// Adds the 9x9 pixels of a panel of an input's gradient from 81 products; see ``kernelWinogradInputGradient``. Only the
/// first row and column hold values of other tiles.
@inline(never)
public func kernelStridedWinogradInputGradient(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ tile: Int, _ dx: UnsafeMutablePointer<Float>,
  _ rowStride: Int, _ pixelStride: Int, _ firstRow: Int, _ firstColumn: Int, _ rows: Int, _ columns: Int,
  _ addsRows: Bool, _ addsColumns: Bool, _ doneRows: Int, _ doneColumns: Int, _ mask: UnsafePointer<Float>?,
  _ scratch: UnsafeMutablePointer<Float>
) {
  let places = Places(pointStride, tile, panelWidth)
  forVectors(panelWidth) { c in
    for j in 0..<9 {
      let (outer, inner) = (places.outer(j), places.inner(j))
      put(inputGradient(five(m + c + outer.start, outer.step)), scratch + j * width, 18 * width)
      put(four(m + c + inner.start, inner.step), scratch + (9 + j) * width, 18 * width)
    }
    for i in firstRow..<rows {
      let values = scratch + 9 * i * width
      let (outer, inner) = (inputGradient(five(values, width)), four(values + 5 * width, width))
      put(outer, values, 2 * width)
      put(inner, values + width, 2 * width)
      let row = dx + c + i * rowStride
      let rowMask = i < doneRows ? mask.map { $0 + c + i * rowStride } : nil
      for j in firstColumn..<columns {
        var v = load(values + j * width)
        if i < 1 && addsRows || j < 1 && addsColumns { v += load(row + j * pixelStride) }
        if j < doneColumns, let rowMask { v = masked(v, load(rowMask + j * pixelStride)) }
        store(row + j * pixelStride, v)
      }
    }
  }
}

/// One 3x3 filter for a panel of outputs; see ``kernelWinogradFilter``.
@inline(never)
public func kernelStridedWinogradFilter(
  _ w: UnsafePointer<Float>, _ tapStride: Int, _ u: UnsafeMutablePointer<Float>, _ pointStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  forVectors(panelWidth) { c in
    let (w, u) = (w + c, u + c)
    for r in 0..<3 {
      let row = w + 3 * r * tapStride
      put(filter(load(row), load(row + 2 * tapStride)), scratch + r * width, 3 * width)
    }
    for j in 0..<5 {
      let column = scratch + 3 * j * width
      put(filter(load(column), load(column + 2 * width)), u + j * pointStride, 5 * pointStride)
      store(u + (30 + j) * pointStride, load(column + width))
    }
    put(filter(load(w + tapStride), load(w + 7 * tapStride)), u + 25 * pointStride, pointStride)
    store(u + 35 * pointStride, load(w + 4 * tapStride))
  }
}

/// The gradient of a 3x3 filter for a panel of outputs from that of its 36 points.
@inline(never)
public func kernelStridedWinogradFilterGradient(
  _ u: UnsafePointer<Float>, _ pointStride: Int, _ w: UnsafeMutablePointer<Float>, _ tapStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  forVectors(panelWidth) { c in
    let (w, u) = (w + c, u + c)
    for j in 0..<5 {
      let outer = filterGradient(five(u + j * pointStride, 5 * pointStride))
      store(scratch + j * width, outer.0)
      store(scratch + (5 + j) * width, load(u + (30 + j) * pointStride))
      store(scratch + (10 + j) * width, outer.1)
    }
    for r in 0..<3 {
      let taps = filterGradient(five(scratch + 5 * r * width, width))
      store(w + 3 * r * tapStride, taps.0)
      store(w + (3 * r + 2) * tapStride, taps.1)
    }
    let middle = filterGradient(five(u + 25 * pointStride, pointStride))
    store(w + tapStride, middle.0)
    store(w + 7 * tapStride, middle.1)
    store(w + 4 * tapStride, load(u + 35 * pointStride))
  }
}
