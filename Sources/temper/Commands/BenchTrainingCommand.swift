import ArgumentParser
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

/// `temper bench training`
struct BenchTrainingCommand: ParsableCommand {
  /// What a step does.
  enum Method: String, ExpressibleByArgument, CaseIterable { case standard, pgd, distill, inference }

  static let configuration = CommandConfiguration(
    commandName: "training",
    abstract: "Measure images per second of whole steps on synthetic images.",
    discussion: """
      A step is a forward and backward pass with the optimizer's update (standard), the same on PGD images (pgd), the
      same towards a stored teacher's logits (distill), or the logits alone (inference). resnet18 takes 32 x 32 images
      in colour, the others 28 x 28 in grey.

      EXAMPLES
        temper bench training --device cpu --model small-cnn --batch-size 128 --method pgd --steps 7 --json
        temper bench training --device cpu --model resnet18 --width-multiplier 0.5 --batch-size 64 --method inference
      """)

  @Option(help: "Network: small-cnn, mlp or resnet18.") var model = "small-cnn"
  @Option(parsing: .unconditional, help: "Factor of the channels of resnet18.") var widthMultiplier = 1.0
  @Option(parsing: .unconditional, help: "Images per step.") var batchSize = 128
  @Option(help: "standard, pgd, distill or inference.") var method = Method.standard
  @Option(parsing: .unconditional, help: "Steps of the attack.") var steps = 7
  @Option(parsing: .unconditional, help: "Seconds to measure after the warm-up.") var seconds = 5.0
  @Flag(help: "Also report the memory of the device's buffers.") var memory = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if batchSize < 1 || steps < 0 { throw ValidationError("--batch-size is at least 1, --steps at least 0.") }
    if !(seconds >= 0) { throw ValidationError("--seconds is at least 0.") }
  }

  func run() throws {
    let device = try devices.open()
    let extents = DatasetCatalog.extents(model == "resnet18" ? "cifar-10" : "mnist")
    let description = NetworkDescription(
      model: model, height: extents.height, width: extents.width, channels: extents.channels, classes: 10,
      widthMultiplier: widthMultiplier)
    let step = try BenchStep(description, method, batchSize: batchSize, steps: steps, device)
    let fixed = device.memoryUse.used
    func work() throws {
      try device.withBatch(of: batchSize, fixed: fixed) {
        try step.run()
        try device.synchronize()
      }
    }
    for _ in 0..<2 { try work() }
    let before = device.memoryUse
    let rates = try Throughput(seconds: seconds, warmUp: 0, work)
    let report = BenchTrainingReport(
      rates, device: device, model: model, method: method.rawValue, batchSize: batchSize,
      memory: memory ? .init(before: before, after: device.memoryUse) : nil)
    if json { return try Console.json(report) }
    Console.result(
      String(
        format: "%@ %@, batch %d: %.1f images/s (p10 %.1f, p90 %.1f, %d steps)", model, method.rawValue,
        batchSize, report.imagesPerSecond, report.p10, report.p90, report.samples))
    guard let memory = report.memory else { return }
    Console.result(
      String(
        format:
          "memory: %.1f MB in buffers at most, %.1f MB kept for them, %d allocations after the warm-up; "
          + "%.1f MB resident at most", Double(memory.peak) / 1e6, Double(memory.held) / 1e6,
        memory.allocations,
        Double(report.peakMemory) / 1e6))
  }
}

/// Figures of a benchmark of whole steps.
private struct BenchTrainingReport: Encodable {
  let imagesPerSecond: Double
  let p10: Double
  let p90: Double
  let samples: Int
  let peakMemory: Int
  let device: String
  let model: String
  let method: String
  let batchSize: Int
  let memory: Memory?

  /// Memory of the device's buffers.
  struct Memory: Encodable {
    let peak: Int
    let held: Int
    let allocations: Int

    enum CodingKeys: String, CodingKey {
      case peak = "peak_buffer_bytes"
      case held = "held_buffer_bytes"
      case allocations = "allocations_after_warm_up"
    }

    init(before: MemoryUse, after: MemoryUse) {
      (peak, held, allocations) = (after.peak, after.held, after.allocations - before.allocations)
    }
  }

  enum CodingKeys: String, CodingKey {
    case p10, p90, samples, device, model, method, memory
    case imagesPerSecond = "images_per_second"
    case peakMemory = "peak_memory_bytes"
    case batchSize = "batch_size"
  }

  init(
    _ steps: Throughput, device: Device, model: String, method: String, batchSize: Int, memory: Memory?
  ) {
    let images = Double(batchSize)
    (imagesPerSecond, samples) = (images * steps.rate(0.5), steps.samples)
    (p10, p90) = (images * steps.rate(0.1), images * steps.rate(0.9))
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    peakMemory = usage.ru_maxrss * 1024
    (self.device, self.model, self.method) = (device.description, model, method)
    (self.batchSize, self.memory) = (batchSize, memory)
  }
}

/// One step on synthetic images, as `Trainer` makes it.
private struct BenchStep {
  private let network: any Network
  private let objective: (any Objective)?
  private let optimizer: Optimizer
  private let batch: Batch

  init(
    _ description: NetworkDescription, _ method: BenchTrainingCommand.Method, batchSize: Int, steps: Int,
    _ device: Device
  ) throws {
    network = try ModelCatalog.make(description, seed: 0, on: device)
    objective =
      switch method {
      case .inference: nil
      case .standard: StandardObjective()
      case .pgd:
        AdversarialObjective(
          attack: try PGD(ThreatModel(.linf, Epsilon(0.1)), stepSize: 0.025, steps: steps))
      case .distill:
        try DistillationObjective(
          LogitTable(
            logits: (0..<batchSize * 10).map { Float($0 * 7 % 11) }, classCount: 10,
            sampleIDs: (0..<batchSize).map { Int64($0) }), temperature: 4, on: device)
      }
    optimizer = try Optimizer(.sgd(), for: network.store)
    let shape: Shape = [batchSize, description.height, description.width, description.channels]
    batch = Batch(
      images: try Tensor((0..<shape.count).map { Float($0 % 251) / 250 }, shape: shape, on: device),
      labels: try Tensor((0..<batchSize).map { Int32($0 % 10) }, on: device),
      sampleIDs: try Tensor((0..<batchSize).map { Int32($0) }, on: device))
  }

  func run() throws {
    guard let objective else {
      _ = try network(batch.images)
      return
    }
    let images = try objective.images(batch, model: network, epoch: 0)
    let (_, gradients) = try valueWithGradients(at: network.parameters) {
      try objective.loss(network, images, batch)
    }
    try optimizer.update(with: gradients, learningRate: 0.001)
  }
}
