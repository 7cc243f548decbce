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

/// How much the demo trains and attacks.
struct DemoRecipe: Codable {
  let trainingImages: Int
  let standardEpochs: Int
  let robustEpochs: Int
  let studentEpochs: Int
  let attackedImages: Int
  let batchSize: Int
  /// The loss has the factor T^2, hence the smaller rate.
  let studentLearningRate: Double
  /// Of adversarial training: at the usual 0.1 so short a run may stay at chance for an epoch, with few images at 0.05 too.
  var robustLearningRate = 0.05
  var epsilon = "0.1"
  var trainingSteps = 7
  var attackSteps = 20
  var temperature: Float = 4

  static let full = DemoRecipe(
    trainingImages: 15_000, standardEpochs: 4, robustEpochs: 4, studentEpochs: 5, attackedImages: 400,
    batchSize: 128, studentLearningRate: 0.05)
  static let quick = DemoRecipe(
    trainingImages: 4_000, standardEpochs: 3, robustEpochs: 3, studentEpochs: 4, attackedImages: 200,
    batchSize: 64, studentLearningRate: 0.03, robustLearningRate: 0.02)
}

/// The main job from real images to distilled students.
struct Demo {
  let recipe: DemoRecipe
  let folder: String
  let dataFolder: String?
  let seed: UInt64
  let device: Device

  /// Name of a run folder, what it is called in tables, its teacher and what is done to the teacher's logits.
  private static let students = [
    ("student-intact", "student of the AT teacher, intact logits", "robust", "intact"),
    ("student-uniform", "student of the AT teacher, uniform non-max logits", "robust", "uniform"),
    ("student-permute", "student of the AT teacher, permuted non-max logits", "robust", "permute"),
    ("student-reverse", "student of the AT teacher, reversed non-max order", "robust", "reverse"),
    ("student-standard", "student of the standard teacher, intact logits", "standard", "intact"),
  ]

  func run() throws -> DemoResults {
    try train("standard", configuration(.standard, epochs: recipe.standardEpochs))
    try train("robust", configuration(.pgd, epochs: recipe.robustEpochs))
    for (name, _, teacher, manipulation) in Self.students {
      try train(name, student(of: teacher, manipulation))
    }
    let split = try DatasetSplit.load("fashion-mnist", folder: dataFolder, seed: seed)
    let test = try DeviceDataset(split.test, on: device)
    var rows = [
      try row("standard", "standard training", test), try row("robust", "adversarial training (AT)", test),
    ]
    for (name, label, _, _) in Self.students { rows.append(try row(name, label, test)) }
    let tables = try ["standard", "robust"].map {
      try LogitTable(contentsOf: "\(folder)/\($0)/test-logits.safetensors")
    }
    let study = try LogitStudy(standard: [tables[0]], robust: [tables[1]])
    let results = DemoResults(
      recipe: recipe, seed: seed, device: device.description, rows: rows, comparison: study.pairs[0],
      study: study)
    try results.write(to: folder, tables: tables)
    return results
  }

  private func configuration(_ method: TrainingConfiguration.Method, epochs: Int) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration.method = method
    configuration.epochs = epochs
    configuration.batchSize = recipe.batchSize
    configuration.epsilon = recipe.epsilon
    configuration.steps = recipe.trainingSteps
    configuration.seed = seed
    configuration.limit = recipe.trainingImages
    if method == .pgd { configuration.learningRate = recipe.robustLearningRate }
    return configuration
  }

  private func student(of teacher: String, _ manipulation: String) throws -> TrainingConfiguration {
    var configuration = configuration(.distill, epochs: recipe.studentEpochs)
    configuration.learningRate = recipe.studentLearningRate
    let weights = try RunFolder.weights(of: "\(folder)/\(teacher)")
    configuration.distillation = .init(
      teacher: weights, teacherSHA256: SHA256.hex(of: try InputFile.read(weights)),
      manipulation: manipulation, temperature: recipe.temperature)
    return configuration
  }

  private func train(_ name: String, _ configuration: TrainingConfiguration) throws {
    let printer = TrainingProgressPrinter(name)
    let run = Run(
      configuration, folder: RunFolder("\(folder)/\(name)"), dataFolder: dataFolder, device: device)
    try run.train { printer.report($0) }
  }

  /// A network's line of the table; kept beside its weights, so that a resumed demo does not attack again.
  private func row(_ name: String, _ label: String, _ test: DeviceDataset) throws -> DemoResults.Row {
    let file = "\(folder)/\(name)/demo-row.json"
    let weights = try RunFolder.weights(of: "\(folder)/\(name)")
    let digest = SHA256.hex(of: try InputFile.read(weights))
    if let data = FileManager.default.contents(atPath: file),
      let row = try? JSONDecoder().decode(DemoResults.Row.self, from: data), row.weightsSHA256 == digest,
      row.attackedImages == recipe.attackedImages
    {
      return row
    }
    let (network, _) = try WeightsFile.read(weights, on: device)
    let table = try LogitTable(
      of: network, over: test, provenance: ["weights": weights, "dataset": "fashion-mnist", "split": "test"])
    try table.write(to: "\(folder)/\(name)/test-logits.safetensors")
    let epsilon = try Epsilon(recipe.epsilon)
    let settings = EvaluationSettings(
      .pgd, ThreatModel(.linf, epsilon), stepSize: epsilon.float / 4, steps: recipe.attackSteps,
      losses: [.crossEntropy, .margin], seed: seed)
    let evaluation = try RobustEvaluation(
      of: network, on: test, limit: recipe.attackedImages, batchSize: 125, settings: settings
    ) { done in
      Console.transient("attacking \(name): \(done) of \(recipe.attackedImages)")
      try stopIfInterrupted()
    }
    Console.clearTransient()
    let measures = Measures(of: table)
    let row = DemoResults.Row(
      label: label, weightsSHA256: digest, cleanAccuracy: table.summary().accuracy ?? .nan,
      robustAccuracy: evaluation.robustAccuracy, attackedImages: recipe.attackedImages,
      maxLogit: Distribution(measures.maxLogit).mean, gap: Distribution(measures.logitGap).mean,
      confidence: Distribution(measures.confidence).mean)
    try AtomicFile.write([UInt8](try JSONEncoder().encode(row)), to: file)
    return row
  }
}
