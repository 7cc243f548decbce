import Datasets
import FileFormats
import Networks
import Tensors

/// Which attack an evaluation runs, with every setting that its figures depend on.
public struct EvaluationSettings: Sendable {
  /// The attacks an evaluation offers.
  public enum Kind: String, Sendable, CaseIterable { case none, fgsm, pgd }

  /// The attack.
  public var kind: Kind
  /// The ball.
  public var threat: ThreatModel
  /// Length of a PGD step in pixel units of [0, 1].
  public var stepSize: Float
  /// Number of PGD steps.
  public var steps: Int
  /// Runs of PGD from different random starts; a sample counts as robust if it survives all.
  public var restarts: Int
  /// Losses; a sample counts as robust if it survives PGD on each.
  public var losses: [AttackLoss]
  /// Whether PGD starts at random points.
  public var randomStart: Bool
  /// Seed of the random starts.
  public var seed: UInt64

  /// Creates settings.
  public init(
    _ kind: Kind, _ threat: ThreatModel, stepSize: Float, steps: Int, restarts: Int = 1,
    losses: [AttackLoss] = [.crossEntropy], randomStart: Bool = true, seed: UInt64 = 0
  ) {
    self.kind = kind
    self.threat = threat
    self.stepSize = stepSize
    self.steps = steps
    self.restarts = restarts
    self.losses = losses
    self.randomStart = randomStart
    self.seed = seed
  }

  /// Every attack that a sample must survive.
  public func attacks() throws -> [PGD] {
    switch kind {
    case .none: return []
    case .fgsm: return losses.map { PGD.fgsm(threat, loss: $0) }
    case .pgd:
      guard restarts >= 1 else {
        throw TemperError(
          .usage, field: "--restarts", "is \(restarts)", remedy: "Give a number of at least 1.")
      }
      return try (0..<restarts).flatMap { restart in
        try losses.map {
          try PGD(
            threat, stepSize: stepSize, steps: steps, randomStart: randomStart, loss: $0, seed: seed,
            round: UInt32(restart))
        }
      }
    }
  }
}

/// Accuracy of a network on clean images and on the worst of several attacks, sample by sample.
public struct RobustEvaluation: Sendable {
  /// For each sample, whether the network is right on the clean image.
  public private(set) var cleanCorrect: [Bool] = []
  /// For each sample, whether it is right on the clean image and on every attacked one.
  public private(set) var robustCorrect: [Bool] = []

  /// Share of samples that are right.
  public var cleanAccuracy: Double { Self.share(cleanCorrect) }
  /// Share of samples that are right under every attack.
  public var robustAccuracy: Double { Self.share(robustCorrect) }

  /// Evaluates a network batch by batch.
  /// - Parameters:
  ///   - limit: images used, from the first on, or nil for all.
  ///   - progress: called after each batch with the number of samples done.
  public init(
    of model: any Network, on images: some BatchSource, limit: Int? = nil, batchSize: Int = 250,
    settings: EvaluationSettings, progress: (Int) throws -> Void = { _ in }
  ) throws {
    let attacks = try settings.attacks()
    for range in images.ranges(of: batchSize, limit: limit) {
      let batch = try images.batch(range)
      let labels = try batch.labels.integers()
      let clean = try Self.correct(model, batch.images, labels)
      var robust = clean
      for attack in attacks where robust.contains(true) {
        let attacked = try Self.correct(model, attack.perturb(batch, against: model), labels)
        for i in robust.indices where !attacked[i] { robust[i] = false }
      }
      cleanCorrect += clean
      robustCorrect += robust
      try progress(cleanCorrect.count)
    }
  }

  private static func correct(_ model: any Network, _ images: Tensor, _ labels: [Int32]) throws -> [Bool] {
    let logits = try model(images)
    let values = try logits.floats()
    guard values.allSatisfy(\.isFinite) else {
      throw TemperError(
        .badData, field: "logits", "the network gives NaN or infinite logits",
        remedy: "Check its weights and the images' range.")
    }
    return zip(try argmax(logits).integers(), labels).map { $0 == $1 }
  }

  private static func share(_ values: [Bool]) -> Double {
    values.isEmpty ? 0 : Double(values.lazy.filter { $0 }.count) / Double(values.count)
  }
}
