import Devices
import FileFormats

/// C = op(A) op(B), where op transposes if asked.
///
/// - Parameters:
///   - a: (M, K), or (K, M) if `transposeA`.
///   - b: (K, N), or (N, K) if `transposeB`.
/// - Returns: (M, N).
/// - Throws: `.internal` if the inner extents differ.
public func matmul(
  _ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false
) throws -> Tensor {
  let (ta, tb) = (transposeA, transposeB)
  return try MatMul(transposeA: ta, transposeB: tb)(a, b).recorded(from: [
    (
      a,
      { dy in
        ta ? try MatMul(transposeA: tb, transposeB: true)(b, dy) : try MatMul(transposeB: !tb)(dy, b)
      }
    ),
    (
      b,
      { dy in
        tb ? try MatMul(transposeA: true, transposeB: ta)(dy, a) : try MatMul(transposeA: !ta)(a, dy)
      }
    ),
  ])
}

/// A fully connected layer in one pass: x W + bias, then the activation.
///
/// - Parameters:
///   - x: (N, in).
///   - weight: (in, out).
///   - bias: (out), or nil.
/// - Returns: (N, out).
public func linear(
  _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, activation: Activation = .identity
) throws -> Tensor {
  Workload.recorder?.addLinear(inputs: weight.shape[0], outputs: weight.shape[1])
  let product = MatMul(relu: activation == .relu)
  let y = try product(all: [x, weight] + (bias.map { [$0] } ?? []))[0]
  var inputs: [(Tensor, TapeNode.Pullback)] = [
    (x, { dy in try x.gradient(MatMul(transposeB: true, last: .mask), dy, weight) }),
    (weight, { dy in try MatMul(transposeA: true)(x, dy) }),
  ]
  if let bias { inputs.append((bias, { dy in try ColumnSums()(dy) })) }
  return y.recorded(from: inputs).recorded(throughFused: activation)
}

/// The matrix product, with an optional third input, and ReLU.
struct MatMul: Operation {
  /// What a third input is.
  enum Last {
    /// (N), added to every row.
    case bias
    /// (M, N), a ReLU's output: where it is not positive the product is 0.
    case mask
  }
  var transposeA = false
  var transposeB = false
  var relu = false
  var last = Last.bias

  private func extents(_ inputs: [Tensor]) -> (m: Int, n: Int, k: Int) {
    let (a, b) = (inputs[0].shape, inputs[1].shape)
    return (transposeA ? a[1] : a[0], transposeB ? b[0] : b[1], transposeA ? a[0] : a[1])
  }

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape.rank == 2 && inputs[1].shape.rank == 2, "needs two matrices", inputs)
    let (m, n, k) = extents(inputs)
    let b = inputs[1].shape
    try require(k == (transposeB ? b[1] : b[0]), "the inner extents differ", inputs)
    let lastCount = last == .bias ? n : m * n
    try require(inputs.count < 3 || inputs[2].shape.count == lastCount, "the last input does not fit", inputs)
    return [OutputSpec([m, n])]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (m, n, _) = extents(inputs)
    let a = cpu.factor(inputs[0], summedOver: transposeA ? .rows : .columns)
    let b = cpu.factor(inputs[1], summedOver: transposeB ? .columns : .rows)
    let packed = PackedMatrix.of(
      b, key: "matmul \(transposeB)", depth: b.shape[transposeB ? 1 : 0], columns: n, rowStride: b.shape[1],
      transposed: transposeB, isPaired: cpu.multipliesPairs, on: cpu)
    let third = inputs.count > 2 ? UnsafePointer(inputs[2].pointer) : nil
    let epilogue =
      last == .bias ? Epilogue(bias: third, relu: relu) : Epilogue(relu: relu, mask: third)
    cpu.multiply(
      LeftMatrix(pointer: a.pointer, stride: a.shape[1], transposed: transposeA), packed, rows: m,
      into: outputs[0].pointer, epilogue: epilogue)
    withExtendedLifetime(a) {}
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (m, n, k) = extents(inputs)
    let (a, b) = (inputs[0], inputs[1])
    let third = inputs.count > 2 ? inputs[2] : nil
    try openCL.multiply(
      StridedMatrix(a.buffer, columns: a.shape[1], transposed: transposeA),
      StridedMatrix(b.buffer, columns: b.shape[1], transposed: transposeB), rows: m, columns: n, depth: k,
      bias: last == .bias ? third?.buffer : nil, relu: relu, mask: last == .mask ? third : nil,
      into: outputs[0])
  }
}
