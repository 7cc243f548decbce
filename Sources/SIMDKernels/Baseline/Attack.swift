// The Linf step of PGD; the arithmetic is that of `Ball` in Tensors/Operations/PGDStep.swift, bit for bit.

/// out = the point within epsilon of the original and in [0, 1] that is nearest to x + stepSize * sign(g), for whole
/// vectors of pixels.
/// - Returns: pixels done; fewer than a vector are left.
@inline(never)
public func kernelPGDStepLinf(
  _ x: UnsafePointer<Float>, _ original: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ count: Int,
  _ stepSize: Float, _ epsilon: Float, _ out: UnsafeMutablePointer<Float>
) -> Int {
  let (step, e) = (Vector(repeating: stepSize), Vector(repeating: epsilon))
  let (zero, one) = (Vector.zero, Vector(repeating: 1))
  var i = 0
  while i + width <= count {
    let (a, gradient, start) = (load(original + i), load(g + i), load(x + i))
    var v = start.replacing(with: start + step, where: gradient .> zero)
    v = v.replacing(with: start - step, where: gradient .< zero)
    let high = bound(a, e, outwards: 1)
    let low = bound(a, zero - e, outwards: -1)
    let (least, most) = (
      low.replacing(with: zero, where: low .< zero), high.replacing(with: one, where: high .> one)
    )
    let raised = v.replacing(with: least, where: v .< least)
    store(out + i, raised.replacing(with: most, where: raised .> most))
    i += width
  }
  return i
}

/// a + e, one float nearer to a where the sum was rounded outwards and is positive (Knuth's two-sum gives the error).
@inline(__always)
private func bound(_ a: Vector, _ e: Vector, outwards: Float) -> Vector {
  let sum = a + e
  let back = sum - a
  let error = ((a - (sum - back)) + (e - back)) * outwards
  let bits = unsafeBitCast(sum, to: Numbers.self)
  let inwards = unsafeBitCast(outwards > 0 ? bits &- 1 : bits &+ 1, to: Vector.self)
  return sum.replacing(with: inwards, where: (error .< Vector.zero) .& (sum .> Vector.zero))
}
