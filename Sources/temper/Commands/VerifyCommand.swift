import ArgumentParser
import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Networks
import Randomness
import Tensors
import Training

/// `temper verify`
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Train a few steps on the CPU and on a device from one seed and compare every tensor.",
    discussion: """
      Both sides train small-cnn adversarially on the same synthetic images. Initial weights, batches and attack
      starts must be equal bit for bit. Afterwards each tensor's drift is the norm of the difference over the
      norm of the change that training made; it must stay within the tolerance, which leaves room for the order
      of float sums but not for a wrong kernel. Convolutions on the CPU are direct here. Exit code 1 beyond it.

      EXAMPLES
        temper verify --device opencl
        temper verify --device opencl:1 --steps 10 --json
      """)

  @Option(help: "Training steps.") var steps = 4
  @Option(help: "Images per step.") var batchSize = 32
  @Option(help: "Seed of weights, images and attack starts.") var seed: UInt64 = 0
  @Option(help: "Largest drift accepted.") var tolerance = 2e-2
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if steps < 1 || batchSize < 1 { throw ValidationError("--steps and --batch-size are at least 1.") }
  }

  func run() throws {
    let device = try devices.open()
    let (reference, other) = try ConvolutionAlgorithm.$forced.withValue(
      ConvolutionAlgorithm.forced ?? .direct
    ) {
      (
        try VerifiedRun(on: .cpu(.shared), seed: seed, steps: steps, batchSize: batchSize),
        try VerifiedRun(on: device, seed: seed, steps: steps, batchSize: batchSize)
      )
    }
    let report = VerifyReport(reference, other, device: device.description, tolerance: tolerance)
    if json { try Console.json(report) } else { Console.result(report.text) }
    if !report.passed { throw ExitCode(1) }
  }
}

/// What a short training run leaves behind on one device.
private struct VerifiedRun {
  let initial: [(name: String, shape: [Int], values: [Float])]
  let final: [(name: String, shape: [Int], values: [Float])]
  let images: [Float]
  let starts: [Float]
  let losses: [Float]

  init(on device: Device, seed: UInt64, steps: Int, batchSize: Int) throws {
    let description = NetworkDescription(model: "small-cnn", height: 28, width: 28, channels: 1, classes: 10)
    let network = try ModelCatalog.make(description, seed: seed, on: device)
    let data = try DeviceDataset(Self.syntheticImages(steps * batchSize, seed), on: device)
    let threat = ThreatModel(.linf, Epsilon(0.1))
    let attack = try PGD(threat, stepSize: 0.025, steps: 3, seed: seed)
    let objective = AdversarialObjective(attack: attack)
    let optimizer = try Optimizer(.sgd(), for: network.store)
    let order = data.order(seed: seed, epoch: 0).map { Int32($0) }
    initial = try StateDict.tensors(of: network)
    let first = try data.batch(Array(order[..<batchSize]))
    images = try first.images.floats()
    starts = try PGD(threat, stepSize: 0, steps: 0, seed: seed).perturb(first, against: network).floats()
    var losses: [Float] = []
    for range in data.ranges(of: batchSize) {
      let batch = try data.batch(Array(order[range]))
      let attacked = try objective.images(batch, model: network, epoch: 0)
      let (loss, gradients) = try valueWithGradients(at: network.parameters) {
        try objective.loss(network, attacked, batch)
      }
      try optimizer.update(with: gradients, learningRate: 0.01)
      losses.append(try loss.scalar())
    }
    self.losses = losses
    final = try StateDict.tensors(of: network)
  }

  /// Images whose brightness pattern depends on their class, so that there is something to learn.
  private static func syntheticImages(_ count: Int, _ seed: UInt64) throws -> ImageDataset {
    let noise = RandomStream(seed: seed, purpose: .test)
    var pixels: [UInt8] = []
    for image in 0..<count {
      for pixel in 0..<784 {
        let pattern = (pixel * (image % 10 + 1) / 16) % 2 == 0 ? 60 : 160
        pixels.append(UInt8(pattern + Int(noise.word(at: image * 784 + pixel) % 80)))
      }
    }
    return try ImageDataset(
      name: "synthetic", height: 28, width: 28, channels: 1, images: pixels,
      labels: (0..<count).map { Int32($0 % 10) }, classNames: (0..<10).map(String.init))
  }
}

/// The comparison of two runs.
private struct VerifyReport: Encodable {
  struct Drift: Encodable {
    let tensor: String
    let drift: Double
    let largestDifference: Double

    enum CodingKeys: String, CodingKey {
      case tensor, drift
      case largestDifference = "largest_difference"
    }
  }

  let device: String
  let tolerance: Double
  let identicalWeights: Bool
  let identicalImages: Bool
  let identicalStarts: Bool
  let losses: [Float]
  let referenceLosses: [Float]
  let tensors: [Drift]
  let passed: Bool

  enum CodingKeys: String, CodingKey {
    case device, tolerance, losses, tensors, passed
    case identicalWeights = "identical_initial_weights"
    case identicalImages = "identical_images"
    case identicalStarts = "identical_attack_starts"
    case referenceLosses = "reference_losses"
  }

  init(_ reference: VerifiedRun, _ other: VerifiedRun, device: String, tolerance: Double) {
    self.device = device
    self.tolerance = tolerance
    identicalWeights = zip(reference.initial, other.initial).allSatisfy { $0.values == $1.values }
    identicalImages = reference.images == other.images
    identicalStarts = reference.starts == other.starts
    losses = other.losses
    referenceLosses = reference.losses
    tensors = zip(zip(reference.initial, reference.final), other.final).map { pair, other in
      Self.drift(pair.1.name, start: pair.0.values, reference: pair.1.values, other: other.values)
    }
    let lossesAgree = zip(reference.losses, other.losses).allSatisfy {
      abs(Double($0) - Double($1)) <= tolerance * max(1, abs(Double($0)))
    }
    passed =
      identicalWeights && identicalImages && identicalStarts && lossesAgree
      && tensors.allSatisfy { $0.drift <= tolerance }
  }

  private static func drift(_ name: String, start: [Float], reference: [Float], other: [Float]) -> Drift {
    var (change, difference, largest) = (0.0, 0.0, 0.0)
    for i in start.indices {
      let error = Double(other[i]) - Double(reference[i])
      change += (Double(reference[i]) - Double(start[i])) * (Double(reference[i]) - Double(start[i]))
      difference += error * error
      largest = max(largest, abs(error))
    }
    let drift = difference == 0 ? 0 : (difference / change).squareRoot()
    return Drift(
      tensor: name, drift: drift.isFinite ? drift : .greatestFiniteMagnitude, largestDifference: largest)
  }

  var text: String {
    func mark(_ same: Bool) -> String { same ? "identical" : "DIFFERENT" }
    var lines = [
      "initial weights \(mark(identicalWeights)), images \(mark(identicalImages)), attack starts \(mark(identicalStarts))",
      "losses "
        + zip(referenceLosses, losses).map { String(format: "%.5f/%.5f", $0, $1) }.joined(separator: " ")
        + " (CPU/device)",
    ]
    for tensor in tensors {
      let name = tensor.tensor.padding(toLength: 22, withPad: " ", startingAt: 0)
      lines.append(
        String(format: "%@ drift %.2e, largest difference %.2e", name, tensor.drift, tensor.largestDifference)
      )
    }
    lines.append("\(passed ? "passed" : "FAILED"): tolerance \(tolerance) on \(device)")
    return lines.joined(separator: "\n")
  }
}
