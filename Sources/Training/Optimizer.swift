import FileFormats
import Networks
import Tensors

/// Which optimizer updates the parameters, with its settings.
public enum OptimizerKind: Sendable, Equatable {
  /// Stochastic gradient descent, PyTorch's formulas: g = gradient + weightDecay * w; buffer = momentum *
  /// buffer + g.
  case sgd(momentum: Float = 0.9, weightDecay: Float = 5e-4, nesterov: Bool = false)
  /// AdamW (Loshchilov and Hutter, ICLR 2019), PyTorch's formulas.
  case adamW(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 1e-2)
}

/// Updates all parameters of a network in one launch. Its state is laid out as the network's flat buffer.
public final class Optimizer {
  /// The kind and its settings.
  public let kind: OptimizerKind
  /// Updates made so far.
  public private(set) var step = 0
  private let store: ParameterStore
  private let gradients: Tensor
  private let firstMoment: Tensor
  private let secondMoment: Tensor?

  /// Makes an optimizer with zero state.
  public init(_ kind: OptimizerKind, for store: ParameterStore) throws {
    self.kind = kind
    self.store = store
    let zeros = { try Tensor(repeating: 0, shape: store.flat.shape, on: store.device) }
    gradients = try zeros()
    firstMoment = try zeros()
    if case .adamW = kind { secondMoment = try zeros() } else { secondMoment = nil }
  }

  /// Updates the parameters with one gradient each.
  /// - Parameter learningRate: of this step.
  public func update(with gradients: [Tensor], learningRate: Float) throws {
    try store.flattened(gradients, into: self.gradients)
    switch kind {
    case .sgd(let momentum, let weightDecay, let nesterov):
      try SGDStep(
        learningRate: learningRate, momentum: momentum, weightDecay: weightDecay, nesterov: nesterov
      ).update(weights: store.flat, gradients: self.gradients, momentum: firstMoment)
    case .adamW(let beta1, let beta2, let epsilon, let weightDecay):
      try AdamWStep(
        learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
        step: step + 1
      ).update(
        weights: store.flat, gradients: self.gradients, firstMoment: firstMoment, secondMoment: secondMoment!)
    }
    step += 1
    store.markChanged()
  }

  /// The state as named vectors, for checkpoints.
  package func state() throws -> [(name: String, values: [Float])] {
    let vectors = [("first_moment", firstMoment)] + (secondMoment.map { [("second_moment", $0)] } ?? [])
    return try vectors.flatMap { name, vector in
      let values = try vector.floats()
      return store.parameters.map { parameter in
        let range = parameter.offset..<parameter.offset + parameter.spec.shape.count
        return ("\(name).\(parameter.name)", Array(values[range]))
      }
    }
  }

  /// Restores what ``state()`` gave.
  /// - Throws: `.badData` naming a vector that is missing or has another length.
  package func restore(step: Int, _ vector: (String) throws -> [Float]) throws {
    self.step = step
    let targets = [("first_moment", firstMoment)] + (secondMoment.map { [("second_moment", $0)] } ?? [])
    for (name, target) in targets {
      var values = [Float](repeating: 0, count: target.shape.count)
      for parameter in store.parameters {
        let part = try vector("\(name).\(parameter.name)")
        guard part.count == parameter.spec.shape.count else {
          throw TemperError(.badData, field: "\(name).\(parameter.name)", "has \(part.count) values")
        }
        values.replaceSubrange(parameter.offset..<parameter.offset + part.count, with: part)
      }
      try values.withUnsafeBytes { try target.device.write($0, to: target.buffer) }
    }
  }
}
