// The inner loop of every matrix product and convolution: one tile of C += A * B held in registers.
//
// This file is compiled three times (KernelsBaseline, KernelsAVX2, KernelsAVX512; the latter two see it through
// a symbolic link). Only pointers, SIMD types and this module's own generics may appear: a generic of the
// standard library would be emitted as shared code that needs the newer instruction set (tools/check looks).

internal import CSIMD

#if VECTOR512
  typealias Vector = SIMD16<Float>
  typealias Numbers = SIMD16<UInt32>
  let maximumRows = 14
#elseif VECTOR256 || arch(arm64)
  typealias Vector = SIMD8<Float>
  typealias Numbers = SIMD8<UInt32>
  let maximumRows = 6
#else
  // Two registers each, so that a broadcast value serves four products.
  typealias Vector = SIMD8<Float>
  typealias Numbers = SIMD8<UInt32>
  let maximumRows = 2
#endif

@inline(__always) var width: Int { Vector.scalarCount }
@inline(__always) var panelWidth: Int { 2 * Vector.scalarCount }

@inline(__always) func load(_ p: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(p).loadUnaligned(as: Vector.self)
}
@inline(__always) func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: Vector.self)
}
/// Stores a vector past the caches; the address is a multiple of its size. The baseline does not.
@inline(__always) func stream(_ p: UnsafeMutablePointer<Float>, _ v: Vector) {
  #if VECTOR512 || VECTOR256
    vector_stream(p, v)
  #else
    store(p, v)
  #endif
}
@inline(__always) func multiplyAdd(_ c: inout Vector, _ a: Vector, _ b: Vector) {
  c = vector_multiply_add(c, a, b)
}

// In place of the standard library's, which work lane by lane.
@inline(__always) func + (_ a: Vector, _ b: Vector) -> Vector { vector_sum(a, b) }
@inline(__always) func - (_ a: Vector, _ b: Vector) -> Vector { vector_difference(a, b) }
@inline(__always) func * (_ a: Vector, _ b: Vector) -> Vector { vector_product(a, b) }
@inline(__always) func * (_ a: Vector, _ b: Float) -> Vector { vector_product(a, vector_repeating(b)) }
@inline(__always) func += (_ a: inout Vector, _ b: Vector) { a = vector_sum(a, b) }

/// Calls `body` for 0..<Rows with constant arguments, so that the accumulators stay in registers.
@inline(__always)
func unrolled<let Rows: Int>(_: InlineArray<Rows, Void>.Type, _ body: (Int) -> Void) {
  if 0 < Rows { body(0) }
  if 1 < Rows { body(1) }
  if 2 < Rows { body(2) }
  if 3 < Rows { body(3) }
  if 4 < Rows { body(4) }
  if 5 < Rows { body(5) }
  if 6 < Rows { body(6) }
  if 7 < Rows { body(7) }
  if 8 < Rows { body(8) }
  if 9 < Rows { body(9) }
  if 10 < Rows { body(10) }
  if 11 < Rows { body(11) }
  if 12 < Rows { body(12) }
  if 13 < Rows { body(13) }
}

/// A body that is compiled for each height of a tile.
protocol ForEachHeight {
  func run<let Rows: Int>(_ rows: InlineArray<Rows, Void>.Type)
}

/// Runs the body that was compiled for a height of 1 to `maximumRows`.
@inline(__always)
func dispatch(_ rows: Int, _ body: some ForEachHeight) {
  switch rows {
  case 1: body.run(InlineArray<1, Void>.self)
  case 2: body.run(InlineArray<2, Void>.self)
  #if VECTOR512 || VECTOR256 || arch(arm64)
    case 3: body.run(InlineArray<3, Void>.self)
    case 4: body.run(InlineArray<4, Void>.self)
    case 5: body.run(InlineArray<5, Void>.self)
    case 6: body.run(InlineArray<6, Void>.self)
  #endif
  #if VECTOR512
    case 7: body.run(InlineArray<7, Void>.self)
    case 8: body.run(InlineArray<8, Void>.self)
    case 9: body.run(InlineArray<9, Void>.self)
    case 10: body.run(InlineArray<10, Void>.self)
    case 11: body.run(InlineArray<11, Void>.self)
    case 12: body.run(InlineArray<12, Void>.self)
    case 13: body.run(InlineArray<13, Void>.self)
    case 14: body.run(InlineArray<14, Void>.self)
  #endif
  default: break
  }
}

/// What the elements of A and B are.
protocol Elements {
  static func multiplyAdd(_ c: inout Vector, _ a: Vector, _ b: Vector)
}

enum Floats: Elements {
  @inline(__always) static func multiplyAdd(_ c: inout Vector, _ a: Vector, _ b: Vector) {
    c = vector_multiply_add(c, a, b)
  }
}

#if VECTOR512
  /// Pairs of bfloat16, of two neighbouring depths: each adds two products.
  enum Pairs: Elements {
    @inline(__always) static func multiplyAdd(_ c: inout Vector, _ a: Vector, _ b: Vector) {
      c = vector_multiply_add_pairs(c, a, b)
    }
  }
#endif

/// What happens to a finished tile before it is stored: added to C, bias, ReLU, mask, in this order.
struct Finish {
  let accumulate: Bool
  /// panelWidth values that are added to each row.
  let bias: UnsafePointer<Float>?
  let relu: Bool
  /// Laid out as C; where it is not positive, 0 is stored.
  let mask: UnsafePointer<Float>?
  /// Whether C is stored past the caches; then its rows begin at multiples of a vector's size.
  let streamed: Bool
}

/// What the next tiles will read of B: fetched meanwhile, `step` floats per depth.
struct Upcoming {
  let start: UnsafePointer<Float>
  let step: Int
}

/// One tile of `Rows` rows: C = the sum over segments s and depths k (at least one of each) of
/// A[s * segmentStride + i * rowStride + k * depthStride] * B[(s * depth + k) * bStride ...].
@inline(__always)
func tile<E: Elements, let Rows: Int>(
  _: E.Type, _ rows: InlineArray<Rows, Void>.Type, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>,
  _ segmentStride: Int, _ rowStride: Int, _ depthStride: Int, _ b: UnsafePointer<Float>, _ bStride: Int,
  _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ finish: Finish, _ next: Upcoming
) {
  var c0 = InlineArray<Rows, Vector>(repeating: .zero)
  var c1 = InlineArray<Rows, Vector>(repeating: .zero)
  if finish.accumulate { unrolled(rows) { i in prefetch_near(c + i * cRowStride) } }
  // Counting down after the body keeps every accumulator in one register; `for` loops copy or spill some.
  var b = b
  var upcoming = next.start
  var segment = a
  var segmentsLeft = segments
  repeat {
    var a = segment
    var depthsLeft = depth
    repeat {
      prefetch_far(upcoming)
      upcoming += next.step
      let b0 = load(b)
      let b1 = load(b + width)
      unrolled(rows) { i in
        let x = vector_repeating(a[i * rowStride])
        E.multiplyAdd(&c0[i], x, b0)
        E.multiplyAdd(&c1[i], x, b1)
      }
      a += depthStride
      b += bStride
      depthsLeft -= 1
    } while depthsLeft > 0
    segment += segmentStride
    segmentsLeft -= 1
  } while segmentsLeft > 0
  if finish.accumulate {
    unrolled(rows) { i in
      c0[i] += load(c + i * cRowStride)
      c1[i] += load(c + i * cRowStride + width)
    }
  }
  if let bias = finish.bias {
    let (b0, b1) = (load(bias), load(bias + width))
    unrolled(rows) { i in
      c0[i] += b0
      c1[i] += b1
    }
  }
  if finish.relu {
    unrolled(rows) { i in
      c0[i] = positive(c0[i])
      c1[i] = positive(c1[i])
    }
  }
  if let mask = finish.mask {
    unrolled(rows) { i in
      c0[i] = masked(c0[i], load(mask + i * cRowStride))
      c1[i] = masked(c1[i], load(mask + i * cRowStride + width))
    }
  }
  if finish.streamed {
    unrolled(rows) { i in
      stream(c + i * cRowStride, c0[i])
      stream(c + i * cRowStride + width, c1[i])
    }
    return
  }
  unrolled(rows) { i in
    store(c + i * cRowStride, c0[i])
    store(c + i * cRowStride + width, c1[i])
  }
}

/// C of a product without depth: zeros, finished.
@inline(never)
func emptyTile(_ rows: Int, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ finish: Finish) {
  for i in 0..<rows {
    var j = 0
    while j < panelWidth {
      let at = i * cRowStride + j
      var v = finish.accumulate ? load(c + at) : Vector.zero
      if let bias = finish.bias { v += load(bias + j) }
      if finish.relu { v = positive(v) }
      if let mask = finish.mask { v = masked(v, load(mask + at)) }
      store(c + at, v)
      j += width
    }
  }
}

/// max(v, 0); NaN stays.
@inline(__always) func positive(_ v: Vector) -> Vector { vector_at_least(v, Vector.zero) }

/// v where the mask is positive, else 0.
@inline(__always) func masked(_ v: Vector, _ mask: Vector) -> Vector { vector_masked(v, mask) }

/// A tile whose depths lie next to each other in A.
@inline(never)
func contiguousDepth<E: Elements, let Rows: Int>(
  _ elements: E.Type, _ rows: InlineArray<Rows, Void>.Type, _ segments: Int, _ depth: Int,
  _ a: UnsafePointer<Float>,
  _ segmentStride: Int, _ rowStride: Int, _ b: UnsafePointer<Float>, _ bStride: Int,
  _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ finish: Finish, _ next: Upcoming
) {
  tile(
    elements, rows, segments, depth, a, segmentStride, rowStride, 1, b, bStride, c, cRowStride, finish, next)
}

/// A tile whose rows lie next to each other in A.
@inline(never)
func contiguousRows<E: Elements, let Rows: Int>(
  _ elements: E.Type, _ rows: InlineArray<Rows, Void>.Type, _ depth: Int, _ a: UnsafePointer<Float>,
  _ depthStride: Int,
  _ b: UnsafePointer<Float>, _ bStride: Int, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int,
  _ finish: Finish, _ next: Upcoming
) {
  tile(elements, rows, 1, depth, a, 0, 1, depthStride, b, bStride, c, cRowStride, finish, next)
}
