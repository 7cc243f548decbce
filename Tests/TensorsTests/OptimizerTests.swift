import Devices
import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// Trajectories of torch.optim on given gradients; see tools/reference/make_fixtures.py.
@Suite struct OptimizerTests {
  private static let names = ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]

  /// The named tensors of a step side by side, as one flat vector.
  private func flat(_ file: Safetensors, _ prefix: String, step: Int? = nil) throws -> [Float] {
    try Self.names.flatMap { name in
      let values = try file.floats("\(prefix).\(name)").values
      guard let step else { return values }
      let size = values.count / 10
      return Array(values[step * size..<(step + 1) * size])
    }
  }

  private func check(
    _ device: Device, _ prefix: String, _ update: (Int, Tensor, Tensor, [Tensor]) throws -> Void
  ) throws {
    let file = try Safetensors(contentsOf: fixture("optimizers.safetensors"))
    let start = try flat(file, "start")
    let weights = try Tensor(start, shape: [start.count], on: device)
    let state = try (0..<2).map { _ in try Tensor(repeating: 0, shape: [start.count], on: device) }
    for step in 0..<10 {
      let gradient = try Tensor(flat(file, "gradient", step: step), shape: [start.count], on: device)
      try update(step, weights, gradient, state)
      let expected = try flat(file, prefix, step: step)
      for (a, b) in zip(try weights.floats(), expected) {
        #expect(abs(a - b) <= 2e-6 * max(1, abs(b)), "step \(step)")
      }
    }
  }

  @Test(arguments: devicesUnderTest, [false, true])
  func sgdFollowsPyTorch(device: Device, nesterov: Bool) throws {
    try check(device, nesterov ? "nesterov" : "sgd") { _, weights, gradient, state in
      try SGDStep(learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4, nesterov: nesterov)
        .update(weights: weights, gradients: gradient, momentum: state[0])
    }
  }

  @Test(arguments: devicesUnderTest)
  func adamWFollowsPyTorch(device: Device) throws {
    try check(device, "adamw") { step, weights, gradient, state in
      try AdamWStep(
        learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.05, step: step + 1
      )
      .update(weights: weights, gradients: gradient, firstMoment: state[0], secondMoment: state[1])
    }
  }
}
