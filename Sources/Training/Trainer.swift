import Attacks
import Datasets
import FileFormats
import Foundation
import Networks
import Tensors

/// Trains a network and keeps its run folder: resumable, with the best epoch chosen on validation images.
public final class Trainer {
  private let network: any Network
  private let objective: any Objective
  private let training: DeviceDataset
  private let validation: DeviceDataset
  private let configuration: TrainingConfiguration
  private let folder: RunFolder
  private let metadata: [String: String]
  private let report: (TrainingProgress) -> Void
  private let optimizer: Optimizer
  private var progress = Checkpoint.Progress()
  /// Losses that still are on the device; they are read together so that the queue seldom drains.
  private var pending: [(loss: Tensor, images: Int)] = []
  private static let readInterval = 50

  /// Prepares a run.
  /// - Parameters:
  ///   - metadata: what the weights' files say besides the network's description.
  ///   - report: called after some batches and each epoch.
  public init(
    _ network: any Network, objective: any Objective, training: DeviceDataset, validation: DeviceDataset,
    configuration: TrainingConfiguration, folder: RunFolder, metadata: [String: String] = [:],
    report: @escaping (TrainingProgress) -> Void = { _ in }
  ) throws {
    try configuration.check()
    self.network = network
    self.objective = objective
    self.training = training
    self.validation = validation
    self.configuration = configuration
    self.folder = folder
    self.metadata = metadata
    self.report = report
    optimizer = try Optimizer(configuration.optimizerKind, for: network.store)
  }

  /// Trains to the end, from where the folder's checkpoint stands if there is one.
  /// - Throws: `.interrupted` after Ctrl-C, with the state saved; `.nonFiniteLoss`; `.usage` when the folder
  ///   holds a run with other settings.
  public func run() throws {
    try folder.create()
    let yaml = try configuration.yaml()
    if folder.exists(folder.checkpoint) {
      progress = try Checkpoint.load(folder.checkpoint, into: network, optimizer)
      guard progress.configuration == yaml else { throw otherSettings() }
    } else if folder.exists(folder.configuration) {
      let existing = String(decoding: try InputFile.read(folder.configuration), as: UTF8.self)
      if existing == yaml, folder.isComplete { return }
      // A run that failed before its first epoch ended left nothing to lose.
      guard existing == yaml || !folder.exists(folder.last) else { throw otherSettings() }
    }
    progress.configuration = yaml
    try AtomicFile.write(yaml, to: folder.configuration)
    do {
      // What is in use now does not depend on the batch.
      let fixed = network.store.device.memoryUse.used
      try network.store.device.withBatch(of: configuration.batchSize, fixed: fixed) {
        while progress.epoch < configuration.epochs { try runEpoch() }
      }
    } catch let error as TemperError where error.kind == .deviceUnavailable {
      throw stopped(by: error)
    }
    try? FileManager.default.removeItem(atPath: folder.checkpoint)
  }

  private func runEpoch() throws {
    let clock = EpochClock(progress.images)
    let order = training.order(seed: configuration.seed, epoch: progress.epoch)
    for range in training.ranges(of: configuration.batchSize).dropFirst(progress.batch) {
      if Interruption.isRequested { try interrupt() }
      try step(try training.batch(order[range].map { Int32($0) }, augmentation))
      if pending.count >= Self.readInterval { try readLosses(clock) }
    }
    try readLosses(clock)
    try finishEpoch(clock)
  }

  /// One update: the images to train on, the loss and its gradients, the optimizer.
  private func step(_ batch: Batch) throws {
    let images = try objective.images(batch, model: network, epoch: progress.epoch)
    let (loss, gradients) = try valueWithGradients(at: network.parameters) {
      try objective.loss(network, images, batch)
    }
    try optimizer.update(with: gradients, learningRate: Float(learningRate))
    pending.append((loss, batch.count))
    progress.batch += 1
  }

  private var stepsPerEpoch: Int { (training.count + configuration.batchSize - 1) / configuration.batchSize }

  private var learningRate: Double {
    configuration.learningRate
      * configuration.schedule.factor(step: optimizer.step, of: stepsPerEpoch * configuration.epochs)
  }

  private var augmentation: Augmentation? {
    guard configuration.augmentation == .cropFlip else { return nil }
    return Augmentation(padding: 4, flip: true, seed: configuration.seed, epoch: UInt32(progress.epoch))
  }

  private func readLosses(_ clock: EpochClock) throws {
    let losses = try Tensor.values(ofScalars: pending.map(\.loss))
    for (value, images) in zip(losses.map(Double.init), pending.map(\.images)) {
      guard value.isFinite else {
        throw TemperError(
          .nonFiniteLoss, file: folder.path, field: "loss",
          "is \(value.isNaN ? "NaN" : "infinite") in epoch \(progress.epoch + 1), near batch \(progress.batch)",
          remedy: "Choose a smaller --lr.")
      }
      progress.lossSum += value * Double(images)
      progress.images += images
    }
    pending = []
    report(
      TrainingProgress(
        epoch: progress.epoch + 1, epochs: configuration.epochs, batch: progress.batch,
        batches: stepsPerEpoch,
        loss: progress.lossSum / Double(max(1, progress.images)),
        imagesPerSecond: clock.rate(progress.images),
        finishedEpoch: nil))
  }

  private func finishEpoch(_ clock: EpochClock) throws {
    let rate = clock.rate(progress.images)
    let loss = progress.lossSum / Double(max(1, progress.images))
    let (clean, robust) = try validate()
    let epoch = EpochMetrics(
      epoch: progress.epoch + 1, learningRate: learningRate, loss: loss, validationAccuracy: clean,
      validationRobustAccuracy: robust, imagesPerSecond: rate, seconds: clock.seconds)
    progress.metrics.append(epoch.csvLine)
    try WeightsFile.write(network, to: folder.last, metadata: weightsMetadata(epoch))
    let score = robust ?? clean
    if score > progress.bestScore {
      progress.bestScore = score
      try WeightsFile.write(network, to: folder.best, metadata: weightsMetadata(epoch))
    }
    progress.epoch += 1
    (progress.batch, progress.lossSum, progress.images) = (0, 0, 0)
    try AtomicFile.write(
      ([EpochMetrics.csvHeader] + progress.metrics).joined(separator: "\n") + "\n", to: folder.metrics)
    try Checkpoint.save(progress, network, optimizer, to: folder.checkpoint)
    report(
      TrainingProgress(
        epoch: epoch.epoch, epochs: configuration.epochs, batch: stepsPerEpoch, batches: stepsPerEpoch,
        loss: loss,
        imagesPerSecond: rate, finishedEpoch: epoch))
  }

  /// Accuracy on the validation images; for adversarial training also under its own attack, on at most 1,000.
  private func validate() throws -> (clean: Double, robust: Double?) {
    let none = EvaluationSettings(.none, try configuration.threat, stepSize: 0, steps: 0)
    let clean = try RobustEvaluation(of: network, on: validation, settings: none).cleanAccuracy
    guard configuration.method == .pgd else { return (clean, nil) }
    let pgd = EvaluationSettings(
      .pgd, try configuration.threat, stepSize: configuration.stepSize, steps: configuration.steps,
      seed: configuration.seed)
    let robust = try RobustEvaluation(
      of: network, on: validation, limit: 1000, settings: pgd
    ).robustAccuracy
    return (clean, robust)
  }

  private func weightsMetadata(_ epoch: EpochMetrics) -> [String: String] {
    var all = metadata
    all["epoch"] = "\(epoch.epoch)"
    all["validation_accuracy"] = "\(epoch.validationAccuracy)"
    if let robust = epoch.validationRobustAccuracy { all["validation_robust_accuracy"] = "\(robust)" }
    return all
  }

  private func interrupt() throws -> Never {
    try readLosses(EpochClock(progress.images))
    try Checkpoint.save(progress, network, optimizer, to: folder.checkpoint)
    throw TemperError(
      .interrupted, file: folder.path,
      "the state after epoch \(progress.epoch + 1), batch \(progress.batch) is saved",
      remedy: "Run the same command to go on.")
  }

  /// The device's failure with what is left of the run. The checkpoint of the last epoch is untouched.
  private func stopped(by error: TemperError) -> TemperError {
    let isKept = folder.exists(folder.checkpoint)
    let kept =
      isKept
      ? "\(folder.checkpoint) is kept: the same command goes on from there."
      : "No epoch had ended, so that the same command starts anew."
    let remedies = [error.remedy, kept].compactMap { $0 }.joined(separator: " ")
    return TemperError(
      error.kind, file: error.file ?? folder.path, field: error.field, error.message, remedy: remedies)
  }

  private func otherSettings() -> TemperError {
    TemperError(
      .usage, file: folder.path, "holds a run with other settings (\(folder.configuration))",
      remedy: "Choose another --out, or delete that folder.")
  }
}
