import Attacks
import Datasets
import Networks
import Tensors

/// What training minimises. The images are found first, with the parameters frozen; then the loss on them.
public protocol Objective {
  /// The images to train on, such as attacked ones.
  /// - Parameter epoch: keys the random starts.
  func images(_ batch: Batch, model: any Network, epoch: Int) throws -> Tensor
  /// The mean loss over the batch, a scalar.
  func loss(_ model: any Network, _ images: Tensor, _ batch: Batch) throws -> Tensor
}

/// Cross-entropy on clean images: standard training.
public struct StandardObjective: Objective {
  /// Share of the target that is spread over all classes.
  public let labelSmoothing: Float

  /// Creates the objective.
  public init(labelSmoothing: Float = 0) { self.labelSmoothing = labelSmoothing }

  /// See ``Objective``.
  public func images(_ batch: Batch, model: any Network, epoch: Int) throws -> Tensor { batch.images }

  /// See ``Objective``.
  public func loss(_ model: any Network, _ images: Tensor, _ batch: Batch) throws -> Tensor {
    try crossEntropy(
      try model(images, mode: .training), batch.labels, labelSmoothing: labelSmoothing, reduction: .batchMean)
  }
}

/// Cross-entropy on PGD images only: adversarial training (Madry et al., ICLR 2018).
public struct AdversarialObjective: Objective {
  private let attack: PGD
  private let standard: StandardObjective

  /// Creates the objective; the attack's starts differ from epoch to epoch.
  public init(attack: PGD, labelSmoothing: Float = 0) {
    self.attack = attack
    standard = StandardObjective(labelSmoothing: labelSmoothing)
  }

  /// See ``Objective``.
  public func images(_ batch: Batch, model: any Network, epoch: Int) throws -> Tensor {
    var attack = attack
    attack.round = UInt32(epoch)
    return try attack.perturb(batch, against: model)
  }

  /// See ``Objective``.
  public func loss(_ model: any Network, _ images: Tensor, _ batch: Batch) throws -> Tensor {
    try standard.loss(model, images, batch)
  }
}
