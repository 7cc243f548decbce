import Attacks
import Datasets
import Devices
import Distillation
import FileFormats
import Foundation
import Logits
import Networks
import Tensors
import Training

/// What of a run is measured, and how.
public struct MeasurementSettings: Sendable {
  /// Test images used, from the first on, or nil for all.
  public var limit: Int?
  /// Images that are attacked, of the test and of the training images.
  public var attackedLimit = 1000
  /// The attack, a PGD on cross-entropy with random start.
  public var attack: PGD
  /// Whether the last epoch's weights are measured instead of the best one's.
  public var last = false

  /// Settings for an attack.
  public init(attack: PGD) { self.attack = attack }
}

/// The logits of a run's network on clean and attacked images, and what theory says about them. Tables are kept in the run
/// folder's `analysis` folder and read again if weights and settings are the same.
public struct RunMeasurement {
  /// The run folder or weights file.
  public let path: String
  /// What the weights file says, such as `seed` and `method`.
  public let metadata: [String: String]
  /// Clean test images, with the gaps' gradients.
  public let clean: LogitTable
  /// Clean validation images, for fitting temperatures.
  public let heldOut: LogitTable
  /// Attacked test images.
  public let attacked: LogitTable
  /// Attacked training images.
  public let attackedTraining: LogitTable
  /// The adversarial loss over the scale of the logits, on training images.
  public let scale: ScaleCurve
  /// What an Linf attack takes off the margins of a locally linear network, for the images of ``attacked``; nil for an L2 attack
  /// or more than ``LinearReductions/mostClasses`` classes.
  public let linear: LinearReductions?
  /// - lambda |W|^2 of the last layer's weights and bias: the mean cross-entropy minus entropy that weight decay leaves at a
  /// point where the training loss is stationary in the logits' scale. nil unless the run was trained by SGD, whose decay is the
  /// gradient of lambda / 2 |W|^2, without label smoothing.
  public let decayTerm: Double?

  /// Measures a run.
  /// - Parameters:
  ///   - split: the images; the training images are those that the run saw.
  ///   - progress: called with what is being done.
  public init(
    of path: String, _ split: DatasetSplit, _ settings: MeasurementSettings, on device: Device,
    progress: @escaping (String) throws -> Void = { _ in }
  ) throws {
    let measuring = try RunUnderMeasurement(path, settings, split, device, progress)
    let attack = settings.attack
    self.path = path
    metadata = measuring.metadata
    clean = try measuring.clean()
    heldOut = try measuring.table("validation", split.validation)
    let count = min(settings.attackedLimit, settings.limit ?? .max)
    let test = split.test.prefix(count)
    attacked = try measuring.table("test-attacked", test, attack: attack)
    linear = try measuring.linear(test, attack)
    let training = split.train.prefix(settings.attackedLimit)
    attackedTraining = try measuring.table("train-attacked", training, attack: attack)
    scale = try measuring.scale(training, attack)
    decayTerm = try Self.decayTerm(path, measuring.network)
  }

  /// Only the clean test images' logits of a run, with the gaps' gradients.
  public static func clean(
    of path: String, _ split: DatasetSplit, _ settings: MeasurementSettings, on device: Device,
    progress: @escaping (String) throws -> Void = { _ in }
  ) throws -> LogitTable {
    try RunUnderMeasurement(path, settings, split, device, progress).clean()
  }

  private static func decayTerm(_ path: String, _ network: any Network) throws -> Double? {
    guard let configuration = try? TrainingConfiguration(contentsOf: RunFolder(path).configuration),
      configuration.optimizer == .sgd, configuration.labelSmoothing == 0
    else { return nil }
    let squares = try network.parameters.suffix(2).map { parameter in
      try parameter.value.floats().reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    return -Double(configuration.weightDecay) * squares.reduce(0, +)
  }
}

/// A run's network and where its measurements are kept.
private struct RunUnderMeasurement {
  let path: String
  let network: any Network
  let metadata: [String: String]
  private let settings: MeasurementSettings
  private let split: DatasetSplit
  private let device: Device
  private let store: MeasurementStore
  private let progress: (String) throws -> Void

  init(
    _ path: String, _ settings: MeasurementSettings, _ split: DatasetSplit, _ device: Device,
    _ progress: @escaping (String) throws -> Void
  ) throws {
    let file = try RunFolder.weights(of: path, last: settings.last)
    (network, metadata) = try WeightsFile.read(file, on: device)
    store = try MeasurementStore(
      run: path, weights: file, dataset: split.test.name, precision: device.precision)
    (self.path, self.settings, self.split, self.device) = (path, settings, split, device)
    self.progress = progress
  }

  func clean() throws -> LogitTable { try table("test", split.test.prefix(settings.limit), gradients: true) }

  func table(
    _ name: String, _ images: ImageDataset, attack: PGD? = nil, gradients: Bool = false
  ) throws -> LogitTable {
    try store.table(name, images: images, attack: attack) { provenance in
      try LogitTable(
        of: network, over: DeviceDataset(images, on: device), attack: attack ?? NoAttack() as any Attack,
        measuresGradients: gradients, provenance: provenance
      ) { done in try progress("\(path): \(name), \(done) of \(images.count) images") }
    }
  }

  func linear(_ images: ImageDataset, _ attack: PGD) throws -> LinearReductions? {
    guard attack.threat.norm == .linf, images.classes <= LinearReductions.mostClasses else { return nil }
    return try store.value("linear", images: images, attack: attack) {
      try LinearReductions(
        of: network, over: DeviceDataset(images, on: device), epsilon: attack.threat.epsilon.float
      ) { done in try progress("\(path): gradients of margins, \(done) of \(images.count) images") }
    }
  }

  func scale(_ images: ImageDataset, _ attack: PGD) throws -> ScaleCurve {
    try store.value("scale", images: images, attack: attack) {
      try ScaleCurve(
        of: network, over: DeviceDataset(images, on: device), attack: attack, limit: images.count
      ) {
        done, count in try progress("\(path): loss over the logits' scale, \(done) of \(count)")
      }
    }
  }
}
