// The inner loop of every matrix product and convolution: one tile of C += A * B held in registers.
//
// This file is compiled three times (KernelsBaseline, KernelsAVX2, KernelsAVX512; the latter two see it through
// a symbolic link). Only pointers, SIMD types and this module's own generics may appear: a generic of the
// standard library would be emitted as shared code that needs the newer instruction set (tools/check looks).

#if VECTOR512
  typealias Vector = SIMD16<Float>
  let maximumRows = 14
#elseif VECTOR256
  typealias Vector = SIMD8<Float>
  let maximumRows = 6
#else
  typealias Vector = SIMD4<Float>
  let maximumRows = 6
#endif

@inline(__always) var width: Int { Vector.scalarCount }
@inline(__always) var panelWidth: Int { 2 * Vector.scalarCount }

@inline(__always) func load(_ p: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(p).loadUnaligned(as: Vector.self)
}
@inline(__always) func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: Vector.self)
}
@inline(__always) func multiplyAdd(_ c: inout Vector, _ a: Vector, _ b: Vector) {
  #if VECTOR512 || VECTOR256
    c.addProduct(a, b)
  #else
    c += a * b  // without the instruction, addProduct is one library call per lane
  #endif
}

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

/// Adds the bias (panelWidth values) to each row of a finished tile and applies ReLU, while it is in the cache.
@inline(never)
func addBias(
  _ rows: Int, _ c: UnsafeMutablePointer<Float>, _ rowStride: Int, _ bias: UnsafePointer<Float>?, _ relu: Bool
) {
  var b0 = Vector.zero
  var b1 = Vector.zero
  if let bias {
    b0 = load(bias)
    b1 = load(bias + width)
  }
  let floor = Vector(repeating: relu ? 0 : -.infinity)
  for i in 0..<rows {
    let p = c + i * rowStride
    let v0 = load(p) + b0
    let v1 = load(p + width) + b1
    store(p, v0.replacing(with: floor, where: v0 .< floor))
    store(p + width, v1.replacing(with: floor, where: v1 .< floor))
  }
}

@inline(__always)
func tile<let Rows: Int>(
  _ rows: InlineArray<Rows, Void>.Type, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>,
  _ segmentStride: Int, _ rowStride: Int, _ depthStride: Int, _ b: UnsafePointer<Float>,
  _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool
) {
  var c0 = InlineArray<Rows, Vector>(repeating: .zero)
  var c1 = InlineArray<Rows, Vector>(repeating: .zero)
  var b = b
  for segment in 0..<segments {
    var a = a + segment * segmentStride
    for _ in 0..<depth {
      let b0 = load(b)
      let b1 = load(b + width)
      unrolled(rows) { i in
        let x = Vector(repeating: a[i * rowStride])
        multiplyAdd(&c0[i], x, b0)
        multiplyAdd(&c1[i], x, b1)
      }
      a += depthStride
      b += panelWidth
    }
  }
  if accumulate {
    unrolled(rows) { i in
      let p = c + i * cRowStride
      store(p, load(p) + c0[i])
      store(p + width, load(p + width) + c1[i])
    }
  } else {
    unrolled(rows) { i in
      let p = c + i * cRowStride
      store(p, c0[i])
      store(p + width, c1[i])
    }
  }
}

@inline(never)
func contiguousDepth<let Rows: Int>(
  _ rows: InlineArray<Rows, Void>.Type, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>,
  _ segmentStride: Int, _ rowStride: Int, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>,
  _ cRowStride: Int, _ accumulate: Bool
) {
  tile(rows, segments, depth, a, segmentStride, rowStride, 1, b, c, cRowStride, accumulate)
}

@inline(never)
func contiguousRows<let Rows: Int>(
  _ rows: InlineArray<Rows, Void>.Type, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>,
  _ segmentStride: Int, _ depthStride: Int, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>,
  _ cRowStride: Int, _ accumulate: Bool
) {
  tile(rows, segments, depth, a, segmentStride, 1, depthStride, b, c, cRowStride, accumulate)
}
