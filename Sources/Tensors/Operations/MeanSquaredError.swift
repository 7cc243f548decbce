/// The mean over all elements of (a - b)^2, a scalar. Gradients flow into both inputs.
public func meanSquaredError(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  let factor = 2 / Float(max(1, a.shape.count))
  let (x, y) = (a.detached(), b.detached())
  let squares = try Pairwise(kind: .squaredDifference)(a, b)
  return try Total(scale: 1 / Float(max(1, a.shape.count)))(squares).recorded(from: [
    (a, { dy in try ScaleByScalar(constant: factor)(Pairwise(kind: .subtract)(x, y), dy) }),
    (b, { dy in try ScaleByScalar(constant: factor)(Pairwise(kind: .subtract)(y, x), dy) }),
  ])
}
