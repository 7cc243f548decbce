import ArgumentParser
import Attacks
import Datasets
import FileFormats
import Foundation
import Tensors
import Training

/// `temper evaluate`
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a network's accuracy on clean and on attacked images.",
    discussion: """
      A sample counts as robust if the network is right on the clean image and on every attacked one (restarts
      times losses). A robust accuracy under PGD is an upper bound.

      EXAMPLES
        temper evaluate runs/at --attack pgd --epsilon 0.1 --steps 20 --limit 2000
        temper evaluate runs/at --attack pgd --norm l2 --epsilon 1 --restarts 3 --loss worst --json
        temper evaluate runs/at --attack none
      """)

  @Argument(help: ArgumentHelp("A run folder or a .safetensors file.", valueName: "run")) var source: String
  @OptionGroup var attack: AttackOptions
  @Option(parsing: .unconditional, help: "Images used, from the first on (default: all).") var limit: Int?
  @Option(help: "train, validation or test.") var split = SplitName.test
  @Option(help: "Data set (default: the one trained on).") var data: String?
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Option(parsing: .unconditional, help: "Images per batch.") var batchSize = 250
  @Flag(help: "Use the last epoch's weights instead of the best.") var last = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give at least 1.") }
    if batchSize < 1 { throw ValidationError("--batch-size is \(batchSize); give at least 1.") }
  }

  func run() throws {
    let settings = try attack.settings()
    let device = try devices.open()
    let loaded = try LoadedNetwork(run: source, last: last, on: device)
    let images = try loaded.images(split, data: data, folder: dataDir).prefix(limit)
    Interruption.catchSignals()
    let dataset = try DeviceDataset(images, on: device)
    let evaluation = try device.withBatch(of: batchSize, fixed: device.memoryUse.used) {
      try RobustEvaluation(of: loaded.network, on: dataset, batchSize: batchSize, settings: settings) {
        done in
        Console.transient("evaluated \(done) of \(images.count)")
        try stopIfInterrupted()
      }
    }
    Console.clearTransient()
    let report = EvaluationReport(
      evaluation, settings, weights: loaded.file, data: images.name, split: split.rawValue,
      device: device.description)
    if json { return try Console.json(report) }
    Console.result(report.text)
  }
}

/// Ends long work that has nothing to save.
func stopIfInterrupted() throws {
  guard Interruption.isRequested else { return }
  throw TemperError(.interrupted, "stopped; nothing was written", remedy: "Run the same command again.")
}

/// An evaluation's figures with every setting they depend on.
struct EvaluationReport: Codable {
  let weights: String
  let dataset: String
  let split: String
  let samples: Int
  let cleanAccuracy: Double
  let robustAccuracy: Double
  let attack: String
  let norm: String
  let epsilon: String
  let steps: Int
  let stepSize: Float
  let restarts: Int
  let losses: [String]
  let randomStart: Bool
  let seed: UInt64
  let device: String

  enum CodingKeys: String, CodingKey {
    case weights, dataset, split, samples, attack, norm, epsilon, steps, restarts, losses, seed, device
    case cleanAccuracy = "clean_accuracy"
    case robustAccuracy = "robust_accuracy"
    case stepSize = "step_size"
    case randomStart = "random_start"
  }

  init(
    _ evaluation: RobustEvaluation, _ settings: EvaluationSettings, weights: String, data: String,
    split: String,
    device: String
  ) {
    self.weights = weights
    dataset = data
    self.split = split
    samples = evaluation.cleanCorrect.count
    cleanAccuracy = evaluation.cleanAccuracy
    robustAccuracy = evaluation.robustAccuracy
    attack = settings.kind.rawValue
    norm = settings.threat.norm.rawValue
    epsilon = settings.threat.epsilon.text
    steps = settings.kind == .pgd ? settings.steps : settings.kind == .fgsm ? 1 : 0
    stepSize = settings.kind == .fgsm ? settings.threat.epsilon.float : settings.stepSize
    restarts = settings.restarts
    losses = settings.losses.map(\.rawValue)
    randomStart = settings.kind == .pgd && settings.randomStart
    seed = settings.seed
    self.device = device
  }

  var text: String {
    let clean = String(format: "clean accuracy  %.2f %% of %d %@ images", cleanAccuracy * 100, samples, split)
    guard attack != "none" else { return clean }
    return clean
      + String(
        format: "\nrobust accuracy %.2f %% under %@ (%@, epsilon %@, %d steps of %g, %d restarts, loss %@)",
        robustAccuracy * 100, attack, norm, epsilon, steps, stepSize, restarts,
        losses.joined(separator: " and "))
  }
}
