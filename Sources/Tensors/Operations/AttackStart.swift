import Devices
import Foundation
import Randomness

/// A random point of the ball around each image, clipped to [0, 1].
///
/// Linf: each pixel moves by a uniform amount in [-epsilon, epsilon]; equal on every device bit for bit. L2:
/// uniform in the ball (a normal direction, radius epsilon * u^(1/d)); equal up to the devices' logarithm and
/// cosine. Numbers are keyed by each sample's ID, so that a sample starts at the same point in any batch.
///
/// - Parameters:
///   - images: (N, ...), in [0, 1].
///   - sampleIDs: (N), int32.
///   - seed: keys the numbers.
///   - epoch: tells epochs or restarts apart.
public func attackStart(
  _ images: Tensor, sampleIDs: Tensor, norm: Norm, epsilon: Float, seed: UInt64, epoch: UInt32
) throws -> Tensor {
  try AttackStart(norm: norm, epsilon: epsilon, seed: seed, epoch: epoch)(images, sampleIDs)
}

/// Inputs: images, sample IDs.
struct AttackStart: Operation {
  let norm: Norm
  let epsilon: Float
  let seed: UInt64
  let epoch: UInt32

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(
      inputs[1].shape.count == inputs[0].shape[0] && inputs[1].elementType == .int32,
      "needs one ID per image", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let n = inputs[0].shape[0]
    let size = inputs[0].shape.count / max(1, n)
    cpu.parallel(n) { sample in
      let id = UInt32(bitPattern: inputs[1].integerPointer[sample])
      let stream = RandomStream(seed: seed, purpose: .attackStart, epoch: epoch, sample: id)
      let (x, out) = (inputs[0].pointer + sample * size, outputs[0].pointer + sample * size)
      norm == .linf ? startLinf(stream, x, out, size) : startL2(stream, x, out, size)
    }
  }

  private func startLinf(
    _ stream: RandomStream, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ size: Int
  ) {
    for i in 0..<size {
      let noise = (2 * stream.uniform(at: i) - 1) * epsilon
      out[i] = Ball.project(x[i] + noise, x[i], epsilon)
    }
  }

  private func startL2(
    _ stream: RandomStream, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ size: Int
  ) {
    var square: Float = 0
    for i in 0..<size {
      out[i] = Float(stream.normal(at: i))
      square += out[i] * out[i]
    }
    let u = 1 - stream.uniform(at: 2 * size)
    let radius = Ball.safeRadius(epsilon, size) * pow(u, 1 / Float(size))
    let factor = square > 0 ? radius / square.squareRoot() : 0
    for i in 0..<size { out[i] = Ball.onBall(x[i], out[i], factor) }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    let n = inputs[0].shape[0]
    let values = count / max(1, n)
    let size = KernelArgument.int(values)
    let key: [KernelArgument] =
      [
        .float(epsilon), .uint(UInt32(truncatingIfNeeded: seed)),
        .uint(UInt32(truncatingIfNeeded: seed >> 32)),
        .uint(Purpose.attackStart.rawValue), .uint(epoch),
      ] + [inputs[1], inputs[0], outputs[0]].map { .buffer($0.buffer) }
    switch norm {
    case .linf:
      try openCL.launch("attack_start_linf", [.int(n), size] + key, elements: n * ((values + 3) / 4))
    case .l2 where openCL.kernelShape == .gpu:
      try openCL.launch("attack_start_l2_gpu", [.int(n), size] + key, global: [64 * n], local: [64])
    case .l2: try openCL.launch("attack_start_l2", [.int(n), size] + key, elements: n)
    }
  }
}
