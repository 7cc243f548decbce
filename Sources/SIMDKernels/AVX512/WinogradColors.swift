// Winograd's F(4x4, 3x3) for images of three channels. So few products per point leave the transforms to dominate, if they
// go through memory: here the filters of a column of points (6 points of 3 channels) stay in registers for a strip of
// tiles, and 6 products become 4 values of the output's transform before they are stored.

internal import CSIMD

private typealias SixPoints = InlineArray<6, Void>

/// Channels of a pixel, and the floats that each point of a tile takes.
private let colors = 3
private let pointFloats = 4
/// Floats of one transformed tile: columns of points, each with 6 points from top to bottom.
private let tileFloats = 36 * 4
private let columnFloats = 6 * 4

@inline(__always) private func put(_ p: UnsafeMutablePointer<Float>, _ v: SIMD4<Float>) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: SIMD4<Float>.self)
}
@inline(__always) private func quad(_ p: UnsafePointer<Float>) -> SIMD4<Float> {
  UnsafeRawPointer(p).loadUnaligned(as: SIMD4<Float>.self)
}

/// Transforms a strip of `tiles` 6x6 tiles, each four pixels right of the one before.
///
/// - Parameters:
///   - x: 6 rows of (4 tiles + 2) pixels of three channels, `rowStride` apart.
///   - v: per tile 144 floats: point (i, j), of three channels, at 24 j + 4 i.
///   - scratch: 6 (12 tiles + 6) floats and one more.
@inline(never)
public func kernelWinogradColorsInput(
  _ x: UnsafePointer<Float>, _ rowStride: Int, _ tiles: Int, _ v: UnsafeMutablePointer<Float>,
  _ scratch: UnsafeMutablePointer<Float>
) {
  let count = (4 * tiles + 2) * colors
  forVectors(count) { at in put(winogradInput(six(x + at, rowStride)), scratch + at, count) }
  scratch[6 * count] = 0  // the fourth float of the last pixel
  for tile in 0..<tiles {
    var source = UnsafePointer(scratch) + tile * 4 * colors
    var target = v + tile * tileFloats
    for _ in 0..<6 {
      let r = winogradInput(
        (
          quad(source), quad(source + colors), quad(source + 2 * colors), quad(source + 3 * colors),
          quad(source + 4 * colors), quad(source + 5 * colors)
        ))
      put(target, r.0)
      put(target + columnFloats, r.1)
      put(target + 2 * columnFloats, r.2)
      put(target + 3 * columnFloats, r.3)
      put(target + 4 * columnFloats, r.4)
      put(target + 5 * columnFloats, r.5)
      source += count
      target += pointFloats
    }
  }
}

/// A vector of outputs of a strip of transformed tiles, with bias and ReLU.
///
/// - Parameters:
///   - u: filters, `pointStride` between points (6 i + j) and `channelStride` between channels.
///   - rows: rows of the tiles, at most 4, that lie inside the image; `columns`: columns of all tiles that do.
///   - streamed: whether y is stored past the caches; then its pixels begin at multiples of a vector's size.
///   - scratch: 24 vectors per tile.
@inline(never)
public func kernelWinogradColors(
  _ v: UnsafePointer<Float>, _ tiles: Int, _ u: UnsafePointer<Float>, _ pointStride: Int,
  _ channelStride: Int, _ y: UnsafeMutablePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ rows: Int,
  _ columns: Int, _ bias: UnsafePointer<Float>?, _ relu: Bool, _ streamed: Bool,
  _ scratch: UnsafeMutablePointer<Float>
) {
  for j in 0..<6 {
    productsOfColumn(
      v + j * columnFloats, tiles, u + j * pointStride, 6 * pointStride, channelStride, scratch + j * width)
  }
  let bias = bias.map { load($0) } ?? Vector.zero
  let floor = vector_repeating(relu ? 0 : -.infinity)
  for tile in 0..<tiles {
    let source = scratch + tile * 24 * width
    let inside = columns - 4 * tile
    for i in 0..<rows {
      let r = winogradOutput(six(source + i * 6 * width, width))
      let values = (
        vector_at_least(r.0 + bias, floor), vector_at_least(r.1 + bias, floor),
        vector_at_least(r.2 + bias, floor), vector_at_least(r.3 + bias, floor)
      )
      let target = y + i * rowStride + 4 * tile * pixelStride
      if streamed, inside >= 4 {
        stream(target, values.0)
        stream(target + pixelStride, values.1)
        stream(target + 2 * pixelStride, values.2)
        stream(target + 3 * pixelStride, values.3)
        continue
      }
      store(target, values.0)
      if inside > 1 { store(target + pixelStride, values.1) }
      if inside > 2 { store(target + 2 * pixelStride, values.2) }
      if inside > 3 { store(target + 3 * pixelStride, values.3) }
    }
  }
}

/// Products of the 6 points of a column, transformed from top to bottom into 4 values, which are stored 6 vectors apart.
@inline(__always)
private func productsOfColumn(
  _ v: UnsafePointer<Float>, _ tiles: Int, _ u: UnsafePointer<Float>, _ pointStride: Int,
  _ channelStride: Int, _ m: UnsafeMutablePointer<Float>
) {
  var u0 = InlineArray<6, Vector>(repeating: .zero)
  var u1 = u0
  var u2 = u0
  unrolled(SixPoints.self) { i in
    u0[i] = load(u + i * pointStride)
    u1[i] = load(u + i * pointStride + channelStride)
    u2[i] = load(u + i * pointStride + 2 * channelStride)
  }
  var (v, m) = (v, m)
  var left = tiles
  repeat {
    var sums = InlineArray<6, Vector>(repeating: .zero)
    unrolled(SixPoints.self) { i in
      let point = v + i * pointFloats
      sums[i] = u0[i] * point[0]
      multiplyAdd(&sums[i], u1[i], vector_repeating(point[1]))
      multiplyAdd(&sums[i], u2[i], vector_repeating(point[2]))
    }
    let r = winogradOutput((sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]))
    store(m, r.0)
    store(m + 6 * width, r.1)
    store(m + 12 * width, r.2)
    store(m + 18 * width, r.3)
    v += tileFloats
    m += 24 * width
    left -= 1
  } while left > 0
}

/// Adds the products of a strip of transformed tiles with their transformed gradients, for a vector of outputs.
///
/// - Parameters:
///   - dy: the strip's first pixel; `rows`, at most 4, and `columns` of it lie inside.
///   - sums: `pointStride` between points (6 i + j) and `channelStride` between channels.
///   - scratch: 24 vectors per tile.
@inline(never)
public func kernelWinogradColorsGradient(
  _ v: UnsafePointer<Float>, _ tiles: Int, _ dy: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int,
  _ rows: Int, _ columns: Int, _ sums: UnsafeMutablePointer<Float>, _ pointStride: Int, _ channelStride: Int,
  _ accumulate: Bool, _ scratch: UnsafeMutablePointer<Float>
) {
  let zero = Vector.zero
  for tile in 0..<tiles {
    let inside = columns - 4 * tile
    for i in 0..<4 {
      let source = dy + i * rowStride + 4 * tile * pixelStride
      let isInside = i < rows
      // The tile below.
      let below = source + 4 * rowStride
      prefetch_far(below)
      prefetch_far(below + pixelStride)
      prefetch_far(below + 2 * pixelStride)
      prefetch_far(below + 3 * pixelStride)
      let values = (
        isInside ? load(source) : zero, isInside && inside > 1 ? load(source + pixelStride) : zero,
        isInside && inside > 2 ? load(source + 2 * pixelStride) : zero,
        isInside && inside > 3 ? load(source + 3 * pixelStride) : zero
      )
      put(winogradOutputGradient(values), scratch + (tile * 24 + i) * width, 4 * width)
    }
  }
  for j in 0..<6 {
    addColumn(
      v + j * columnFloats, tiles, scratch + 4 * j * width, sums + j * pointStride, 6 * pointStride,
      channelStride, accumulate)
  }
}

@inline(__always)
private func addColumn(
  _ v: UnsafePointer<Float>, _ tiles: Int, _ d: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
  _ pointStride: Int, _ channelStride: Int, _ accumulate: Bool
) {
  var s0 = InlineArray<6, Vector>(repeating: .zero)
  var s1 = s0
  var s2 = s0
  if accumulate {
    unrolled(SixPoints.self) { i in
      s0[i] = load(sums + i * pointStride)
      s1[i] = load(sums + i * pointStride + channelStride)
      s2[i] = load(sums + i * pointStride + 2 * channelStride)
    }
  }
  var (v, d) = (v, d)
  var left = tiles
  repeat {
    let r = winogradOutputGradient((load(d), load(d + width), load(d + 2 * width), load(d + 3 * width)))
    add(&s0[0], &s1[0], &s2[0], v, r.0)
    add(&s0[1], &s1[1], &s2[1], v + pointFloats, r.1)
    add(&s0[2], &s1[2], &s2[2], v + 2 * pointFloats, r.2)
    add(&s0[3], &s1[3], &s2[3], v + 3 * pointFloats, r.3)
    add(&s0[4], &s1[4], &s2[4], v + 4 * pointFloats, r.4)
    add(&s0[5], &s1[5], &s2[5], v + 5 * pointFloats, r.5)
    v += tileFloats
    d += 24 * width
    left -= 1
  } while left > 0
  unrolled(SixPoints.self) { i in
    store(sums + i * pointStride, s0[i])
    store(sums + i * pointStride + channelStride, s1[i])
    store(sums + i * pointStride + 2 * channelStride, s2[i])
  }
}

@inline(__always)
private func add(
  _ s0: inout Vector, _ s1: inout Vector, _ s2: inout Vector, _ point: UnsafePointer<Float>, _ d: Vector
) {
  multiplyAdd(&s0, vector_repeating(point[0]), d)
  multiplyAdd(&s1, vector_repeating(point[1]), d)
  multiplyAdd(&s2, vector_repeating(point[2]), d)
}
