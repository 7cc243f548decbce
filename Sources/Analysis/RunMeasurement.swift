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
  /// - lambda |W|^2 of the last layer's weights and bias: the mean cross-entropy minus entropy that weight decay leaves at a
  /// point where the training loss is stationary in the logits' scale. nil if the run's weight decay is not known.
  public let decayTerm: Double?

  /// Measures a run.
  /// - Parameters:
  ///   - split: the images; the training images are those that the run saw.
  ///   - progress: called with what is being done.
  public init(
    of path: String, _ split: DatasetSplit, _ settings: MeasurementSettings, on device: Device,
    progress: @escaping (String) throws -> Void = { _ in }
  ) throws {
    self.path = path
    let file = try RunFolder.weights(of: path, last: settings.last)
    let (network, metadata) = try WeightsFile.read(file, on: device)
    self.metadata = metadata
    let store = try MeasurementStore(run: path, weights: file, dataset: split.test.name)
    let attack = settings.attack
    func table(
      _ name: String, _ images: ImageDataset, _ attack: PGD?, limit: Int?, gradients: Bool = false
    ) throws -> LogitTable {
      try store.table(name, images: images.prefix(limit), attack: attack) { images, provenance in
        let source = try DeviceDataset(images, on: device)
        let label = "\(path): \(name)"
        let show = { (done: Int) in try progress("\(label), \(done) of \(images.count) images") }
        return try LogitTable(
          of: network, over: source, attack: attack.map { $0 as any Attack } ?? NoAttack(),
          measuresGradients: gradients,
          provenance: provenance, progress: show)
      }
    }
    clean = try table("test", split.test, nil, limit: settings.limit, gradients: true)
    heldOut = try table("validation", split.validation, nil, limit: nil)
    let attackedCount = min(settings.attackedLimit, settings.limit ?? .max)
    attacked = try table("test-attacked", split.test, attack, limit: attackedCount)
    attackedTraining = try table("train-attacked", split.train, attack, limit: settings.attackedLimit)
    scale = try store.value("scale", images: split.train.prefix(settings.attackedLimit), attack: attack) {
      images in
      try ScaleCurve(
        of: network, over: try DeviceDataset(images, on: device), attack: attack, limit: images.count
      ) { done, count in try progress("\(path): loss over the logits' scale, \(done) of \(count)") }
    }
    decayTerm = try Self.decayTerm(path, network)
  }

  private static func decayTerm(_ path: String, _ network: any Network) throws -> Double? {
    guard let configuration = try? TrainingConfiguration(contentsOf: RunFolder(path).configuration) else {
      return nil
    }
    let squares = try network.parameters.suffix(2).map { parameter in
      try parameter.value.floats().reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    return -Double(configuration.weightDecay) * squares.reduce(0, +)
  }
}

/// Tables and values of a run, kept in its `analysis` folder with what they depend on.
struct MeasurementStore {
  /// nil if the run is a bare weights file: then nothing is kept.
  private let folder: String?
  private let origin: [String: String]

  init(run: String, weights: String, dataset: String) throws {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: run, isDirectory: &isFolder)
    folder = isFolder.boolValue ? run + "/analysis" : nil
    if let folder { try RunFolder(folder).create() }
    origin = ["weights_sha256": SHA256.hex(of: try InputFile.read(weights)), "dataset": dataset]
  }

  func table(
    _ name: String, images: ImageDataset, attack: PGD?,
    _ make: (ImageDataset, [String: String]) throws -> LogitTable
  ) throws -> LogitTable {
    let provenance = provenance(images, attack)
    let path = folder.map { "\($0)/\(name).safetensors" }
    if let path, let kept = try? LogitTable(contentsOf: path), kept.provenance == provenance { return kept }
    let table = try make(images, provenance)
    if let path { try table.write(to: path) }
    return table
  }

  func value<Value: Codable>(
    _ name: String, images: ImageDataset, attack: PGD, _ make: (ImageDataset) throws -> Value
  ) throws -> Value {
    let provenance = provenance(images, attack)
    let path = folder.map { "\($0)/\(name).json" }
    if let path, let data = FileManager.default.contents(atPath: path),
      let kept = try? JSONDecoder().decode(KeptValue<Value>.self, from: data), kept.provenance == provenance
    {
      return kept.value
    }
    let value = try make(images)
    if let path {
      try AtomicFile.write(
        [UInt8](try JSONEncoder().encode(KeptValue(provenance: provenance, value: value))), to: path)
    }
    return value
  }

  private func provenance(_ images: ImageDataset, _ attack: PGD?) -> [String: String] {
    var provenance = origin
    provenance[LogitTable.ProvenanceKey.imagesSHA256] = SHA256.hex(of: images.images)
    provenance["attack"] = attack.map {
      "pgd \($0.threat.norm.rawValue) steps \($0.steps) step-size \($0.stepSize) seed \($0.seed)"
        + " loss \($0.loss.rawValue)" + ($0.randomStart ? " random-start" : "")
    }
    provenance["epsilon"] = attack.map(\.threat.epsilon.text) ?? "0"
    return provenance
  }
}

/// A value with what it depends on.
private struct KeptValue<Value: Codable>: Codable {
  let provenance: [String: String]
  let value: Value
}
