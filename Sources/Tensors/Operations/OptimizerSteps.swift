import Devices
import Foundation

/// One update of SGD over all parameters, in place, with PyTorch's formulas: g = gradient + weightDecay * w;
/// velocity = momentum * velocity + g; w -= learningRate * velocity (Nesterov: g + momentum * velocity).
package struct SGDStep: Operation {
  let learningRate: Float
  let momentum: Float
  let weightDecay: Float
  let nesterov: Bool

  package init(learningRate: Float, momentum: Float, weightDecay: Float, nesterov: Bool) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
  }

  /// Updates weights and velocity; all vectors have one length.
  package func update(weights: Tensor, gradients: Tensor, momentum: Tensor) throws {
    try run(on: weights.device, [gradients], [weights, momentum])
  }

  package func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [] }

  package func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (gradient, weights, velocity) = (inputs[0].pointer, outputs[0].pointer, outputs[1].pointer)
    cpu.parallelRanges(outputs[0].shape.count, grain: CPU.elementwiseGrain) { range in
      for i in range {
        let g = gradient[i] + weightDecay * weights[i]
        let v = momentum * velocity[i] + g
        velocity[i] = v
        weights[i] -= learningRate * (nesterov ? g + momentum * v : v)
      }
    }
  }

  package func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "sgd_step",
      [.int(count), .float(learningRate), .float(momentum), .float(weightDecay), .int(nesterov ? 1 : 0)]
        + [outputs[0], inputs[0], outputs[1]].map { .buffer($0.buffer) }, each: count)
  }
}

/// One update of AdamW over all parameters, in place, with PyTorch's formulas (decoupled weight decay, both
/// moments corrected for their bias).
package struct AdamWStep: Operation {
  let learningRate: Float
  let beta1: Float
  let beta2: Float
  let epsilon: Float
  let weightDecay: Float
  /// From 1.
  let step: Int

  package init(
    learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, step: Int
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.step = step
  }

  /// Updates weights and both moments; all vectors have one length.
  package func update(weights: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor) throws {
    try run(on: weights.device, [gradients], [weights, firstMoment, secondMoment])
  }

  package func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [] }

  private var corrections: (first: Float, second: Float) {
    let first = 1 - pow(Double(beta1), Double(step))
    let second = (1 - pow(Double(beta2), Double(step))).squareRoot()
    return (Float(first), Float(second))
  }

  package func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (gradient, weights) = (inputs[0].pointer, outputs[0].pointer)
    let (first, second) = (outputs[1].pointer, outputs[2].pointer)
    let correction = corrections
    cpu.parallelRanges(outputs[0].shape.count, grain: CPU.elementwiseGrain) { range in
      for i in range {
        let g = gradient[i]
        let m = beta1 * first[i] + (1 - beta1) * g
        let v = beta2 * second[i] + (1 - beta2) * g * g
        (first[i], second[i]) = (m, v)
        let decayed = weights[i] * (1 - learningRate * weightDecay)
        let scale = v.squareRoot() / correction.second + epsilon
        weights[i] = decayed - learningRate / correction.first * m / scale
      }
    }
  }

  package func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    let correction = corrections
    try openCL.launch(
      "adamw_step",
      [
        .int(count), .float(learningRate), .float(beta1), .float(beta2), .float(epsilon), .float(weightDecay),
        .float(correction.first), .float(correction.second),
      ] + [outputs[0], inputs[0], outputs[1], outputs[2]].map { .buffer($0.buffer) }, each: count)
  }
}
