// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308): a 4x4 tile of a 3x3 convolution
// from 36 products instead of 144. Input tiles V = B^T x B, filters U = G w G^T, products M = V U per point and
// summed over channels, outputs y = A^T M A; the gradient of the filters is G^T (V^T (A dy A^T)) G.
//
// The interpolation points are 0, +-5/8, +-3/2 and infinity: 4 to 7 times less rounding error than 0, +-1, +-2
// at the same cost.

internal import CSIMD

typealias SixVectors = (Vector, Vector, Vector, Vector, Vector, Vector)
typealias FourVectors = (Vector, Vector, Vector, Vector)
typealias ThreeVectors = (Vector, Vector, Vector)

@inline(__always) private var p: Float { 0.625 }
@inline(__always) private var q: Float { 1.5 }
@inline(__always) private var p2: Float { p * p }
@inline(__always) private var q2: Float { q * q }

/// c + a * b
@inline(__always) private func sum(_ c: Vector, _ a: Vector, _ b: Float) -> Vector {
  vector_multiply_add(c, a, vector_repeating(b))
}

/// B^T d
@inline(__always) func winogradInput(_ d: SixVectors) -> SixVectors {
  let (even1, odd1) = (sum(d.4, d.2, -q2), sum(d.3, d.1, -q2))
  let (even2, odd2) = (sum(d.4, d.2, -p2), sum(d.3, d.1, -p2))
  return (
    sum(sum(d.4, d.2, -(p2 + q2)), d.0, p2 * q2), sum(even1, odd1, p), sum(even1, odd1, -p),
    sum(even2, odd2, q), sum(even2, odd2, -q), sum(sum(d.5, d.3, -(p2 + q2)), d.1, p2 * q2)
  )
}

/// A^T m
@inline(__always) func winogradOutput(_ m: SixVectors) -> FourVectors {
  let (s1, d1, s2, d2) = (m.1 + m.2, m.1 - m.2, m.3 + m.4, m.3 - m.4)
  return (
    m.0 + s1 + s2, sum(d1 * p, d2, q), sum(s1 * p2, s2, q2), sum(sum(m.5, d1, p * p2), d2, q * q2)
  )
}

/// B m
@inline(__always) func winogradInputGradient(_ m: SixVectors) -> SixVectors {
  let (s1, d1, s2, d2) = (m.1 + m.2, m.1 - m.2, m.3 + m.4, m.3 - m.4)
  return (
    m.0 * (p2 * q2), sum(sum(m.5 * (p2 * q2), d1, -p * q2), d2, -q * p2),
    sum(sum(m.0 * -(p2 + q2), s1, -q2), s2, -p2), sum(sum(m.5 * -(p2 + q2), d1, p), d2, q), m.0 + s1 + s2, m.5
  )
}

/// A y
@inline(__always) func winogradOutputGradient(_ y: FourVectors) -> SixVectors {
  let (even1, odd1) = (sum(y.0, y.2, p2), sum(y.1, y.3, p2))
  let (even2, odd2) = (sum(y.0, y.2, q2), sum(y.1, y.3, q2))
  return (y.0, sum(even1, odd1, p), sum(even1, odd1, -p), sum(even2, odd2, q), sum(even2, odd2, -q), y.3)
}

@inline(__always) private var scaleP: Float { 1 / (2 * p2 * (p2 - q2)) }
@inline(__always) private var scaleQ: Float { 1 / (2 * q2 * (q2 - p2)) }

/// G g
@inline(__always) func winogradFilter(_ g: ThreeVectors) -> SixVectors {
  let (even1, odd1) = (sum(g.0, g.2, p2) * scaleP, g.1 * (p * scaleP))
  let (even2, odd2) = (sum(g.0, g.2, q2) * scaleQ, g.1 * (q * scaleQ))
  return (g.0 * (1 / (p2 * q2)), even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, g.2)
}

/// G^T u
@inline(__always) func winogradFilterGradient(_ u: SixVectors) -> ThreeVectors {
  let (s1, d1) = ((u.1 + u.2) * scaleP, (u.1 - u.2) * scaleP)
  let (s2, d2) = ((u.3 + u.4) * scaleQ, (u.3 - u.4) * scaleQ)
  return (u.0 * (1 / (p2 * q2)) + s1 + s2, sum(d1 * p, d2, q), sum(sum(u.5, s1, p2), s2, q2))
}

@inline(__always) func six(_ at: UnsafePointer<Float>, _ step: Int) -> SixVectors {
  (
    load(at), load(at + step), load(at + 2 * step), load(at + 3 * step), load(at + 4 * step),
    load(at + 5 * step)
  )
}
@inline(__always) func put(_ v: SixVectors, _ at: UnsafeMutablePointer<Float>, _ step: Int) {
  store(at, v.0)
  store(at + step, v.1)
  store(at + 2 * step, v.2)
  store(at + 3 * step, v.3)
  store(at + 4 * step, v.4)
  store(at + 5 * step, v.5)
}

/// Calls `body` with the start of each vector of `count` >= width values; the last one may overlap.
@inline(__always) func forVectors(_ count: Int, _ body: (Int) -> Void) {
  var c = 0
  while c + width <= count {
    body(c)
    c += width
  }
  if c < count { body(count - width) }
}

#if VECTOR512
  typealias SixQuads = (
    SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>
  )

  @inline(__always) private func sum(_ c: SIMD4<Float>, _ a: SIMD4<Float>, _ b: Float) -> SIMD4<Float> {
    quad_multiply_add(c, a, quad_repeating(b))
  }

  /// B^T d of vectors of one SSE register.
  @inline(__always) func winogradInput(_ d: SixQuads) -> SixQuads {
    let (even1, odd1) = (sum(d.4, d.2, -q2), sum(d.3, d.1, -q2))
    let (even2, odd2) = (sum(d.4, d.2, -p2), sum(d.3, d.1, -p2))
    return (
      sum(sum(d.4, d.2, -(p2 + q2)), d.0, p2 * q2), sum(even1, odd1, p), sum(even1, odd1, -p),
      sum(even2, odd2, q), sum(even2, odd2, -q), sum(sum(d.5, d.3, -(p2 + q2)), d.1, p2 * q2)
    )
  }
#endif
