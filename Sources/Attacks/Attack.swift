import Datasets
import Devices
import FileFormats
import Networks
import Tensors

/// What an attacker may do: move an image within a ball of radius epsilon around it, inside [0, 1].
public struct ThreatModel: Sendable, Hashable {
  /// The ball's norm.
  public let norm: Norm
  /// The ball's radius in pixel units of [0, 1].
  public let epsilon: Epsilon

  /// Creates a threat model.
  public init(_ norm: Norm, _ epsilon: Epsilon) {
    self.norm = norm
    self.epsilon = epsilon
  }
}

/// What an attack maximises.
public enum AttackLoss: String, Sendable, CaseIterable {
  /// Cross-entropy. Its gradient vanishes for very confident networks.
  case crossEntropy = "ce"
  /// The largest incorrect logit minus the correct one; no vanishing gradient.
  case margin

  func callAsFunction(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
    switch self {
    case .crossEntropy: try Tensors.crossEntropy(logits, labels, reduction: .sum)
    case .margin: try marginLoss(logits, labels, reduction: .sum)
    }
  }
}

/// Finds perturbed images that a network misclassifies.
public protocol Attack: Sendable {
  /// Perturbed images inside the threat model, in [0, 1]; the batch is left as it is. The network runs in
  /// evaluation mode.
  func perturb(_ batch: Batch, against model: any Network) throws -> Tensor
}

/// No attack: images as they are, for standard training and clean accuracy.
public struct NoAttack: Attack {
  /// Creates it.
  public init() {}

  /// See ``Attack``.
  public func perturb(_ batch: Batch, against model: any Network) throws -> Tensor { batch.images }
}

/// Projected gradient descent (Madry et al., ICLR 2018): steps along the loss's gradient (its sign for Linf,
/// normalised per sample for L2), each projected onto the ball and clipped to [0, 1].
public struct PGD: Attack, Hashable {
  /// The ball.
  public let threat: ThreatModel
  /// Length of a step in pixel units of [0, 1].
  public let stepSize: Float
  /// Number of steps.
  public let steps: Int
  /// Whether to start at a random point of the ball rather than at the image.
  public let randomStart: Bool
  /// What is maximised.
  public let loss: AttackLoss
  /// Seed of the random starts.
  public var seed: UInt64
  /// Tells the starts of several epochs or restarts apart.
  public var round: UInt32

  /// Creates the attack.
  /// - Throws: `.usage` for a negative step size or number of steps.
  public init(
    _ threat: ThreatModel, stepSize: Float, steps: Int, randomStart: Bool = true,
    loss: AttackLoss = .crossEntropy, seed: UInt64 = 0, round: UInt32 = 0
  ) throws {
    guard stepSize >= 0, stepSize.isFinite else {
      throw TemperError(
        .usage, field: "--step-size", "is \(stepSize)", remedy: "Give a number of at least 0.")
    }
    guard steps >= 0 else {
      throw TemperError(.usage, field: "--steps", "is \(steps)", remedy: "Give a number of at least 0.")
    }
    self.threat = threat
    self.stepSize = stepSize
    self.steps = steps
    self.randomStart = randomStart
    self.loss = loss
    self.seed = seed
    self.round = round
  }

  /// The fast gradient sign method (Goodfellow et al., ICLR 2015), or its L2 form: one step of length epsilon
  /// from the image itself.
  public static func fgsm(_ threat: ThreatModel, loss: AttackLoss = .crossEntropy) -> PGD {
    try! PGD(threat, stepSize: threat.epsilon.float, steps: 1, randomStart: false, loss: loss)
  }

  /// See ``Attack``.
  public func perturb(_ batch: Batch, against model: any Network) throws -> Tensor {
    var images = randomStart ? try start(batch) : batch.images
    for _ in 0..<steps {
      let (_, gradient) = try valueWithGradient(at: images) { try loss(try model($0), batch.labels) }
      images = try step(images, gradient, batch.images)
    }
    return images
  }

  private func start(_ batch: Batch) throws -> Tensor {
    try attackStart(
      batch.images, sampleIDs: batch.sampleIDs, norm: threat.norm, epsilon: threat.epsilon.float, seed: seed,
      epoch: round)
  }

  private func step(_ images: Tensor, _ gradient: Tensor, _ original: Tensor) throws -> Tensor {
    try pgdStep(
      images, original: original, gradient: gradient, norm: threat.norm, stepSize: stepSize,
      epsilon: threat.epsilon.float)
  }
}
