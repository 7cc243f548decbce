import Attacks
import FileFormats
import Foundation
import Tensors
import Yams

/// Every setting that a training run depends on; `config.yaml` of a run folder. Two runs of one configuration
/// on the CPU are equal bit for bit.
public struct TrainingConfiguration: Codable, Sendable, Equatable {
  /// How the training images are found.
  public enum Method: String, Codable, Sendable, CaseIterable { case standard, pgd, distill }
  /// Which optimizer.
  public enum OptimizerName: String, Codable, Sendable, CaseIterable { case sgd, adamw }
  /// What changes the training images: nothing, or random crops with 4 pixels of padding and flips.
  public enum Augmentation: String, Codable, Sendable, CaseIterable {
    case none
    case cropFlip = "crop-flip"
  }

  /// Where a student's targets come from.
  public struct Distillation: Codable, Sendable, Equatable {
    /// The teacher's run folder or weights.
    public var teacher: String
    /// SHA-256 of the teacher's weights.
    public var teacherSHA256: String
    /// What is done to its logits.
    public var manipulation: String
    /// Softmax temperature.
    public var temperature: Float

    /// Creates the settings.
    public init(teacher: String, teacherSHA256: String, manipulation: String, temperature: Float) {
      self.teacher = teacher
      self.teacherSHA256 = teacherSHA256
      self.manipulation = manipulation
      self.temperature = temperature
    }

    enum CodingKeys: String, CodingKey {
      case teacher, manipulation, temperature
      case teacherSHA256 = "teacher_sha256"
    }
  }

  /// Name of the data set.
  public var data = "fashion-mnist"
  /// Name of the architecture.
  public var model = "small-cnn"
  /// Factor of the channels of architectures that have one; nil is 1.
  public var widthMultiplier: Double?
  /// How the training images are found.
  public var method = Method.standard
  /// `linf` or `l2`; of the attack that trains and validates.
  public var norm = "linf"
  /// As the user wrote it, such as `8/255`.
  public var epsilon = "0.1"
  /// Steps of the attack.
  public var steps = 7
  /// Step size of the attack in pixel units of [0, 1].
  public var stepSize: Float = 0.025
  /// Epochs of the run.
  public var epochs = 4
  /// Images per step.
  public var batchSize = 128
  /// Which optimizer.
  public var optimizer = OptimizerName.sgd
  /// Base (peak) learning rate.
  public var learningRate: Double = 0.1
  /// Momentum of SGD.
  public var momentum: Float = 0.9
  /// Whether SGD's momentum is Nesterov's.
  public var nesterov = false
  /// Weight decay.
  public var weightDecay: Float = 5e-4
  /// How the learning rate changes.
  public var schedule = Schedule.oneCycle
  /// Share of the target that is spread over all classes.
  public var labelSmoothing: Float = 0
  /// What changes the training images.
  public var augmentation = Augmentation.none
  /// Seed of weights, split, order, augmentation and attacks.
  public var seed: UInt64 = 0
  /// Training images used, or nil for all.
  public var limit: Int?
  /// What products and convolutions round their operands to, such as `bf16`; nil is fp32.
  public var precision: String?
  /// Where a student's targets come from; distillation only.
  public var distillation: Distillation?

  /// The defaults.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case data, model, method, norm, epsilon, steps, epochs, optimizer, momentum, nesterov, schedule,
      augmentation
    case seed, limit, precision, distillation
    case widthMultiplier = "width_multiplier"
    case stepSize = "step_size"
    case batchSize = "batch_size"
    case learningRate = "lr"
    case weightDecay = "weight_decay"
    case labelSmoothing = "label_smoothing"
  }

  /// Throws `.usage` naming the first setting that makes no sense.
  public func check() throws {
    func require(_ condition: Bool, _ field: String, _ value: Any, _ remedy: String) throws {
      if !condition { throw TemperError(.usage, field: field, "is \(value)", remedy: remedy) }
    }
    _ = try threat
    try require(epochs >= 1, "--epochs", epochs, "Give at least 1.")
    try require(batchSize >= 1, "--batch-size", batchSize, "Give at least 1.")
    try require(steps >= 0, "--steps", steps, "Give at least 0.")
    try require(stepSize >= 0 && stepSize.isFinite, "--step-size", stepSize, "Give a number of at least 0.")
    try require(learningRate > 0 && learningRate.isFinite, "--lr", learningRate, "Give a number above 0.")
    try require((0..<1).contains(momentum), "--momentum", momentum, "Give a number in [0, 1).")
    try require(!nesterov || momentum > 0, "--nesterov", "without momentum", "Give a --momentum above 0.")
    try require(weightDecay >= 0 && weightDecay.isFinite, "--weight-decay", weightDecay, "Give at least 0.")
    try require(
      (0..<1).contains(labelSmoothing), "--label-smoothing", labelSmoothing, "Give a number in [0, 1).")
    try require(limit.map { $0 >= 1 } ?? true, "--limit", limit ?? 0, "Give at least 1 image.")
    try require(
      distillation.map { $0.temperature > 0 && $0.temperature.isFinite } ?? true, "--temperature",
      distillation?.temperature ?? 0, "Give a number above 0.")
  }

  /// The ball that training and validation attack in.
  public var threat: ThreatModel {
    get throws {
      guard let norm = Norm(rawValue: norm) else {
        throw TemperError(.usage, field: "--norm", "is \"\(norm)\"", remedy: "Choose linf or l2.")
      }
      return ThreatModel(norm, try Epsilon(epsilon))
    }
  }

  /// The attack of adversarial training and of validation.
  public func attack(loss: AttackLoss = .crossEntropy) throws -> PGD {
    try PGD(try threat, stepSize: stepSize, steps: steps, loss: loss, seed: seed)
  }

  var optimizerKind: OptimizerKind {
    switch optimizer {
    case .sgd: .sgd(momentum: momentum, weightDecay: weightDecay, nesterov: nesterov)
    case .adamw: .adamW(weightDecay: weightDecay)
    }
  }

  /// The configuration as YAML.
  public func yaml() throws -> String { try YAMLEncoder().encode(self) }

  /// Reads `config.yaml`.
  /// - Throws: `.missingInput`, or `.badData` naming the field that is missing, unknown or of another type.
  public init(contentsOf path: String) throws {
    let text = String(decoding: try InputFile.read(path), as: UTF8.self)
    do {
      self = try YAMLDecoder().decode(Self.self, from: text)
    } catch {
      throw TemperError(.badData, file: path, "is no configuration of a run: \(error)")
    }
  }
}
