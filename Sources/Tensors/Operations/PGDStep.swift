import Devices

/// Norm of a threat model's ball.
public enum Norm: String, Sendable, CaseIterable, Hashable {
  /// The largest change of any pixel.
  case linf
  /// The Euclidean length of a sample's change.
  case l2
}

/// One step of projected gradient ascent: along the gradient (its sign for Linf, divided by its length per
/// sample for L2), onto the ball around `original`, and into [0, 1], in one pass.
///
/// Linf results are equal on every device bit for bit, and no pixel differs from `original` by more than
/// `epsilon`, exactly; the length of an L2 change is at most `epsilon`, too. A pixel whose gradient is NaN (a
/// sample whose gradient is zero, for L2) does not move.
///
/// - Parameters:
///   - images: (N, ...), the current images.
///   - original: the ball's centres.
///   - gradient: of the loss that is to rise.
///   - stepSize: in pixel units of [0, 1].
///   - epsilon: radius in pixel units.
public func pgdStep(
  _ images: Tensor, original: Tensor, gradient: Tensor, norm: Norm, stepSize: Float, epsilon: Float
) throws -> Tensor {
  try PGDStep(norm: norm, stepSize: stepSize, epsilon: epsilon)(images, original, gradient)
}

/// Inputs: images, original, gradient.
struct PGDStep: Operation {
  let norm: Norm
  let stepSize: Float
  let epsilon: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs.allSatisfy { $0.shape == inputs[0].shape }, "the shapes differ", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, original, g, out) = (inputs[0].pointer, inputs[1].pointer, inputs[2].pointer, outputs[0].pointer)
    switch norm {
    case .linf:
      cpu.parallelRanges(inputs[0].shape.count, grain: CPU.elementwiseGrain / 4) { range in
        let first = range.lowerBound
        let done = cpu.kernels.pgdStepLinf(
          x + first, original + first, g + first, range.count, stepSize, epsilon, out + first)
        for i in first + done..<range.upperBound {
          let v = g[i] > 0 ? x[i] + stepSize : g[i] < 0 ? x[i] - stepSize : x[i]
          out[i] = Ball.project(v, original[i], epsilon)
        }
      }
    case .l2:
      let n = inputs[0].shape[0]
      let size = inputs[0].shape.count / max(1, n)
      cpu.parallel(n) { stepL2(x + $0 * size, original + $0 * size, g + $0 * size, out + $0 * size, size) }
    }
  }

  private func stepL2(
    _ x: UnsafePointer<Float>, _ original: UnsafePointer<Float>, _ g: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ size: Int
  ) {
    var largest: Float = 0
    for i in 0..<size where abs(g[i]) > largest { largest = abs(g[i]) }
    let inverse = largest > 0 ? 1 / largest : 0
    var square: Float = 0
    for i in 0..<size { square += (g[i] * inverse) * (g[i] * inverse) }
    let rate = square > 0 ? stepSize / square.squareRoot() * inverse : 0
    var length: Float = 0
    for i in 0..<size {
      let d = x[i] + rate * g[i] - original[i]
      out[i] = d
      length += d * d
    }
    let factor = Ball.factor(length: length.squareRoot(), radius: Ball.safeRadius(epsilon, size))
    for i in 0..<size { out[i] = Ball.onBall(original[i], out[i], factor) }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    let n = inputs[0].shape[0]
    let rest: [KernelArgument] =
      [.float(stepSize), .float(epsilon)] + (inputs + outputs).map { .buffer($0.buffer) }
    switch norm {
    case .linf:
      try openCL.launch("pgd_step_linf", [.int(count)] + rest, each: count)
    case .l2:
      let extents: [KernelArgument] = [.int(n), .int(count / max(1, n))]
      if openCL.kernelShape == .gpu {
        try openCL.launch("pgd_step_l2_gpu", extents + rest, global: [64 * n], local: [64])
      } else {
        try openCL.launch("pgd_step_l2_cpu", extents + rest, elements: n)
      }
    }
  }
}

/// Projection onto the ball of one pixel or sample; the same arithmetic as in Kernels/attack.cl.
enum Ball {
  /// The largest float b <= a + e with b - a <= e exactly: the rounding error of the sum is exact in float
  /// (Knuth's two-sum), and where the sum was rounded up the next float below is taken.
  @inline(__always)
  static func upperBound(_ a: Float, _ e: Float) -> Float {
    let sum = a + e
    let back = sum - a
    let error = (a - (sum - back)) + (e - back)
    return error < 0 && sum > 0 ? sum.nextDown : sum
  }

  /// The smallest float b >= a - e with a - b <= e exactly, where it is positive.
  @inline(__always)
  static func lowerBound(_ a: Float, _ e: Float) -> Float {
    let sum = a - e
    let back = sum - a
    let error = (a - (sum - back)) + (-e - back)
    return error > 0 && sum > 0 ? sum.nextUp : sum
  }

  /// The nearest value within epsilon of `original` and [0, 1].
  @inline(__always)
  static func project(_ v: Float, _ original: Float, _ epsilon: Float) -> Float {
    let low = max(lowerBound(original, epsilon), 0)
    let high = min(upperBound(original, epsilon), 1)
    return v < low ? low : v > high ? high : v
  }

  /// The radius that L2 changes are scaled to: below epsilon by what rounding can add, which is a few units of
  /// the length's sum and, for each of `size` pixels, half a unit in the last place of a number below 1.
  @inline(__always)
  static func safeRadius(_ epsilon: Float, _ size: Int) -> Float {
    max(0, epsilon * (1 - 1e-5) - Float(size).squareRoot() * 0x1p-25)
  }

  /// What a change of the given length is multiplied with.
  @inline(__always)
  static func factor(length: Float, radius: Float) -> Float { length > radius ? radius / length : 1 }

  /// A scaled change, clipped to [0, 1], which only shortens it.
  @inline(__always)
  static func onBall(_ original: Float, _ d: Float, _ factor: Float) -> Float {
    let v = original + d * factor
    return v < 0 ? 0 : v > 1 ? 1 : v
  }
}
