import ArgumentParser
import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Networks
import Tensors
import Training

/// `temper bench`
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure throughput on a device.",
    subcommands: [BenchTrainingCommand.self])
}

/// `temper bench training`
struct BenchTrainingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "training",
    abstract: "Measure images per second of whole training steps on synthetic images.",
    discussion: """
      EXAMPLES
        temper bench training --device cpu --model small-cnn --batch-size 128 --method pgd --steps 7 --json
      """)

  @Option(help: "Network: small-cnn or mlp.") var model = "small-cnn"
  @Option(help: "Images per step.") var batchSize = 128
  @Option(help: "standard or pgd.") var method = TrainingConfiguration.Method.standard
  @Option(help: "Steps of the attack.") var steps = 7
  @Option(help: "Seconds to measure after the warm-up.") var seconds = 5.0
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if batchSize < 1 || steps < 0 { throw ValidationError("--batch-size is at least 1, --steps at least 0.") }
    if method == .distill { throw ValidationError("--method is standard or pgd here.") }
  }

  func run() throws {
    let device = try devices.open()
    let step = try TrainingStep(model: model, batchSize: batchSize, method: method, steps: steps, device)
    for _ in 0..<2 { try step.run() }
    try device.synchronize()
    var rates: [Double] = []
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .seconds(seconds) || rates.count < 3 {
      let began = ContinuousClock.now
      try step.run()
      try device.synchronize()
      rates.append(Double(batchSize) / ((ContinuousClock.now - began) / .seconds(1)))
    }
    let report = Report(rates, device: device.description, model: model, method: method.rawValue, batchSize)
    if json { return try Console.json(report) }
    Console.result(
      String(
        format: "%@ %@, batch %d: %.1f images/s (p10 %.1f, p90 %.1f, %d steps)", model, method.rawValue,
        batchSize,
        report.imagesPerSecond, report.p10, report.p90, report.samples))
  }

  private struct Report: Encodable {
    let imagesPerSecond: Double
    let p10: Double
    let p90: Double
    let samples: Int
    let peakMemory: Int
    let device: String
    let model: String
    let method: String
    let batchSize: Int

    enum CodingKeys: String, CodingKey {
      case p10, p90, samples, device, model, method
      case imagesPerSecond = "images_per_second"
      case peakMemory = "peak_memory_bytes"
      case batchSize = "batch_size"
    }

    init(_ rates: [Double], device: String, model: String, method: String, _ batchSize: Int) {
      let sorted = rates.sorted()
      func quantile(_ q: Double) -> Double { sorted[Int((q * Double(sorted.count - 1)).rounded())] }
      (imagesPerSecond, p10, p90, samples) = (quantile(0.5), quantile(0.1), quantile(0.9), rates.count)
      var usage = rusage()
      getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
      peakMemory = usage.ru_maxrss * 1024
      (self.device, self.model, self.method, self.batchSize) = (device, model, method, batchSize)
    }
  }
}

/// One training step on synthetic images, as `Trainer` makes it.
private struct TrainingStep {
  private let network: any Network
  private let objective: any Objective
  private let optimizer: Optimizer
  private let batch: Batch

  init(
    model: String, batchSize: Int, method: TrainingConfiguration.Method, steps: Int, _ device: Device
  ) throws {
    network = try ModelCatalog.make(
      NetworkDescription(model: model, height: 28, width: 28, channels: 1, classes: 10), seed: 0, on: device)
    let attack = try PGD(ThreatModel(.linf, Epsilon(0.1)), stepSize: 0.025, steps: steps)
    objective = method == .pgd ? AdversarialObjective(attack: attack) : StandardObjective()
    optimizer = try Optimizer(.sgd(), for: network.store)
    let shape: Shape = [batchSize, 28, 28, 1]
    batch = Batch(
      images: try Tensor((0..<shape.count).map { Float($0 % 251) / 250 }, shape: shape, on: device),
      labels: try Tensor((0..<batchSize).map { Int32($0 % 10) }, on: device),
      sampleIDs: try Tensor((0..<batchSize).map { Int32($0) }, on: device))
  }

  func run() throws {
    let images = try objective.images(batch, model: network, epoch: 0)
    let (_, gradients) = try valueWithGradients(at: network.parameters) {
      try objective.loss(network, images, batch)
    }
    try optimizer.update(with: gradients, learningRate: 0.001)
  }
}
