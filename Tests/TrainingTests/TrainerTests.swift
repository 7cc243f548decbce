import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

import Training

/// A small run on synthetic images whose brightness pattern depends on the class.
struct SmallRun {
  var configuration = TrainingConfiguration()
  let split: (train: ImageDataset, validation: ImageDataset)

  init(method: TrainingConfiguration.Method = .standard) throws {
    configuration.model = "mlp"
    configuration.method = method
    configuration.epochs = 3
    configuration.batchSize = 16
    configuration.learningRate = 0.05
    configuration.steps = 2
    configuration.augmentation = .cropFlip
    split = (try Self.images(90, seed: 1), try Self.images(40, seed: 2))
  }

  static func images(_ count: Int, seed: UInt64) throws -> ImageDataset {
    var random = Seeded(seed)
    var pixels: [UInt8] = []
    for i in 0..<count {
      for p in 0..<64 {
        pixels.append((p * (i % 4 + 1) / 8 % 2 == 0 ? 40 : 180) + UInt8.random(in: 0..<60, using: &random))
      }
    }
    return try ImageDataset(
      name: "synthetic", height: 8, width: 8, channels: 1, images: pixels,
      labels: (0..<count).map { Int32($0 % 4) },
      classNames: ["a", "b", "c", "d"])
  }

  func network(on device: Device) throws -> any Network {
    try ModelCatalog.make(
      NetworkDescription(model: "mlp", height: 8, width: 8, channels: 1, classes: 4),
      seed: configuration.seed,
      on: device)
  }

  func train(
    _ folder: String, on device: Device = .cpu(.shared), stopAfter batches: Int? = nil, imageCount: Int? = nil
  ) throws {
    let objective: any Objective =
      configuration.method == .pgd
      ? AdversarialObjective(attack: try configuration.attack()) : StandardObjective()
    let stopping = StoppingObjective(objective, after: batches)
    let images = try imageCount.map { try Self.images($0, seed: 1) } ?? split.train
    try Trainer(
      network(on: device), objective: stopping, training: DeviceDataset(images, on: device),
      validation: DeviceDataset(split.validation, on: device), configuration: configuration,
      folder: RunFolder(folder)
    ).run()
  }

  static func weights(_ folder: String) throws -> [UInt8] { try InputFile.read(folder + "/last.safetensors") }
}

/// Asks for an interruption after some batches, as Ctrl-C does.
private final class StoppingObjective: Objective {
  private let objective: any Objective
  private var left: Int?

  init(_ objective: any Objective, after batches: Int?) {
    self.objective = objective
    left = batches
  }

  func images(_ batch: Batch, model: any Network, epoch: Int) throws -> Tensor {
    if let count = left {
      left = count - 1
      if count == 1 { Interruption.request() }
    }
    return try objective.images(batch, model: model, epoch: epoch)
  }

  func loss(_ model: any Network, _ images: Tensor, _ batch: Batch) throws -> Tensor {
    try objective.loss(model, images, batch)
  }
}

/// Serialized: interruptions are a flag of the whole process.
@Suite(.serialized, .enabled(if: !isUnderOclgrind)) struct TrainerTests {
  @Test(arguments: [TrainingConfiguration.Method.standard, .pgd])
  func resumedIsUninterrupted(method: TrainingConfiguration.Method) throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(method: method)
      try run.train(folder + "/whole")
      for stop in [1, 4, 6, 11] {
        let parts = folder + "/parts\(stop)"
        let error = #expect(throws: TemperError.self) { try run.train(parts, stopAfter: stop) }
        Interruption.clear()
        #expect(error?.kind == .interrupted)
        #expect(FileManager.default.fileExists(atPath: parts + "/checkpoint.safetensors"))
        try run.train(parts)
        #expect(
          try SmallRun.weights(parts) == SmallRun.weights(folder + "/whole"), "stopped after batch \(stop)")
        #expect(!FileManager.default.fileExists(atPath: parts + "/checkpoint.safetensors"))
      }
    }
  }

  @Test func resultsDoNotDependOnThreads() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(method: .pgd)
      for threads in [1, 2, 3, 7] {
        try run.train(folder + "/\(threads)", on: .cpu(CPU(threads: threads)))
        #expect(try SmallRun.weights(folder + "/\(threads)") == SmallRun.weights(folder + "/1"))
      }
    }
  }

  @Test(arguments: devicesUnderTest)
  func everyDeviceLearns(device: Device) throws {
    try withTemporaryFolder { folder in
      var run = try SmallRun()
      run.configuration.epochs = 6
      run.configuration.augmentation = .none
      try run.train(folder + "/run", on: device)
      let lines = try String(contentsOfFile: folder + "/run/metrics.csv", encoding: .utf8).split(
        separator: "\n")
      #expect(lines.count == 7)
      let accuracy = Double(lines[6].split(separator: ",", omittingEmptySubsequences: false)[3])!
      #expect(accuracy > 0.9, "validation accuracy \(accuracy); chance is 0.25")
    }
  }

  /// Within an epoch the host waits for the device every 50 steps, to read their losses: not in every step.
  @Test(.enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: waits: no OpenCL device"))
  func losesNoTimeWaitingForTheDevice() throws {
    try withTemporaryFolder { folder in
      let device = try OpenCL(OpenCLDeviceInfo.all[0])
      func waits(steps: Int) throws -> Int {
        var run = try SmallRun(method: .pgd)
        run.configuration.epochs = 1
        run.configuration.batchSize = 2
        run.configuration.limit = nil
        let before = device.waits
        try run.train("\(folder)/\(steps)", on: .openCL(device), imageCount: 2 * steps)
        return device.waits - before
      }
      _ = try waits(steps: 3)
      let few = try waits(steps: 40)
      #expect(try waits(steps: 49) == few)
      #expect(try waits(steps: 149) == few + 2)
      #expect(try waits(steps: 249) == few + 4)
    }
  }

  @Test func folderHoldsWhatItShould() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun(method: .pgd)
      try run.train(folder + "/run")
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/run").sorted()
      #expect(files == ["best.safetensors", "config.yaml", "last.safetensors", "metrics.csv"])
      #expect(try TrainingConfiguration(contentsOf: folder + "/run/config.yaml") == run.configuration)
      #expect(RunFolder(folder + "/run").isComplete)
      // The same command again changes nothing; other settings are refused.
      let before = try SmallRun.weights(folder + "/run")
      try run.train(folder + "/run")
      #expect(try SmallRun.weights(folder + "/run") == before)
      var other = run
      other.configuration.seed = 1
      #expect((#expect(throws: TemperError.self) { try other.train(folder + "/run") })?.kind == .usage)
    }
  }

  @Test func hugeLearningRatesEndWithNonFiniteLoss() throws {
    try withTemporaryFolder { folder in
      var run = try SmallRun()
      run.configuration.learningRate = 1e20
      run.configuration.schedule = .constant
      #expect((#expect(throws: TemperError.self) { try run.train(folder + "/run") })?.kind == .nonFiniteLoss)
    }
  }

  @Test func damagedCheckpointsAreNamed() throws {
    try withTemporaryFolder { folder in
      let run = try SmallRun()
      #expect(throws: TemperError.self) { try run.train(folder + "/run", stopAfter: 3) }
      Interruption.clear()
      let path = folder + "/run/checkpoint.safetensors"
      let bytes = try InputFile.read(path)
      try AtomicFile.write(Array(bytes[..<(bytes.count / 2)]), to: path)
      let error = #expect(throws: TemperError.self) { try run.train(folder + "/run") }
      #expect(error?.kind == .badData && error?.file == path)
    }
  }
}

@Suite struct ScheduleTests {
  @Test func oneCycleIsPyTorchs() {
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=11) of PyTorch 2.15.
    let expected = [
      0.040000000000000036, 0.4223411137347358, 0.9602614247226174, 0.9797465678213015, 0.8844757247686303,
      0.7260870492975283, 0.5305827080875998, 0.3300580289872949, 0.15743251279950787, 0.041045543206290856,
      4e-06,
    ]
    for (step, factor) in expected.enumerated() {
      #expect(abs(Schedule.oneCycle.factor(step: step, of: 11) - factor) < 1e-9, "step \(step)")
    }
  }

  @Test func theOthersAreWhatTheySay() {
    #expect(Schedule.constant.factor(step: 9, of: 10) == 1)
    #expect(
      Schedule.cosine.factor(step: 0, of: 10) == 1
        && abs(Schedule.cosine.factor(step: 5, of: 10) - 0.5) < 1e-12)
    #expect(
      [0, 49, 50, 74, 75, 99].map { Schedule.multiStep.factor(step: $0, of: 100) } == [
        1, 1, 0.1, 0.1, 0.01, 0.01,
      ])
    #expect(Schedule.oneCycle.factor(step: 0, of: 1).isFinite)
  }
}
