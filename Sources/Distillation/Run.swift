import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Logits
import Networks
import Training

/// A whole training run from its configuration alone: data, network, objective, run folder.
public struct Run {
  /// Every setting; its precision is the device's.
  public let configuration: TrainingConfiguration
  /// Where it is kept.
  public let folder: RunFolder
  private let dataFolder: String?
  private let device: Device

  /// Prepares a run; nothing is read or written yet.
  public init(_ configuration: TrainingConfiguration, folder: RunFolder, dataFolder: String?, device: Device)
  {
    var configuration = configuration
    configuration.precision = device.precision == .fp32 ? nil : device.precision.rawValue
    self.configuration = configuration
    self.folder = folder
    self.dataFolder = dataFolder
    self.device = device
  }

  /// Trains to the end; see ``Trainer/run()``. A finished run is left as it is.
  public func train(report: @escaping (TrainingProgress) -> Void = { _ in }) throws {
    try configuration.check()
    let split = try DatasetSplit.load(
      configuration.data, folder: dataFolder, seed: configuration.seed, limit: configuration.limit)
    let description = NetworkDescription(
      model: configuration.model, height: split.train.height, width: split.train.width,
      channels: split.train.channels, classes: split.train.classes,
      widthMultiplier: configuration.widthMultiplier ?? 1)
    let network = try ModelCatalog.make(description, seed: configuration.seed, on: device)
    let training = try DeviceDataset(split.train, on: device)
    try Trainer(
      network, objective: try objective(training), training: training,
      validation: DeviceDataset(split.validation, on: device), configuration: configuration, folder: folder,
      metadata: metadata(split.train), report: report
    ).run()
  }

  private func objective(_ training: DeviceDataset) throws -> any Objective {
    switch configuration.method {
    case .standard:
      return StandardObjective(labelSmoothing: configuration.labelSmoothing)
    case .pgd:
      return AdversarialObjective(
        attack: try configuration.attack(), labelSmoothing: configuration.labelSmoothing)
    case .distill:
      guard let distillation = configuration.distillation else {
        throw TemperError(.usage, field: "--teacher", "is missing", remedy: "Name the teacher's run folder.")
      }
      let (teacher, _) = try WeightsFile.read(distillation.teacher, on: device)
      let manipulation = try Manipulation(
        named: distillation.manipulation, temperature: Double(distillation.temperature),
        seed: configuration.seed)
      let table = try LogitTable(of: teacher, over: training).manipulated(by: manipulation)
      return try DistillationObjective(table, temperature: distillation.temperature, on: device)
    }
  }

  private func metadata(_ data: ImageDataset) -> [String: String] {
    var metadata = [
      "dataset": configuration.data, "method": configuration.method.rawValue, "seed": "\(configuration.seed)",
      "epsilon": configuration.method == .pgd ? configuration.epsilon : "0", "norm": configuration.norm,
      "class_names": data.classNames.joined(separator: "|"), "temper_version": "0.1.0",
    ]
    if let distillation = configuration.distillation {
      metadata["teacher_sha256"] = distillation.teacherSHA256
      metadata["manipulation"] = distillation.manipulation
      metadata["temperature"] = "\(distillation.temperature)"
    }
    return metadata
  }
}
