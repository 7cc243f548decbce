import Attacks
import Datasets
import FileFormats
import Foundation
import Training

/// The data set that some runs share, split as each run split it.
struct RunData {
  let train: ImageDataset
  let test: ImageDataset
  private let origins: [String: Origin]

  /// Reads what runs were trained on.
  /// - Parameter runs: run folders, or weights files whose metadata name data set and seed.
  /// - Throws: `.usage` if they were trained on different data sets, or one does not say on which.
  init(runs: [String], folder: String?) throws {
    let origins = try Dictionary(runs.map { ($0, try Origin(of: $0)) }, uniquingKeysWith: { $1 })
    self.origins = origins
    let sets = Dictionary(grouping: runs) { origins[$0]!.dataset }
    guard sets.count == 1, let name = sets.keys.first else {
      let words = sets.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value[0]))" }
      throw TemperError(
        .usage, field: "--standard, --robust, --matched, --dose",
        "name runs on different data sets: \(words.joined(separator: ", "))",
        remedy: "Give runs on one data set.")
    }
    (train, test) = try DatasetCatalog.load(name, folder: folder)
  }

  /// The images as a run saw them.
  func split(of run: String) throws -> DatasetSplit {
    let origin = origins[run]!
    return try DatasetSplit(train: train, test: test, seed: origin.seed, limit: origin.limit)
  }

  /// The radius that a run was trained at; 0 for standard training.
  func epsilon(of run: String) -> Double { origins[run]!.epsilon }

  /// How some runs were trained, in words; nil for no runs.
  func training(of runs: [String]) -> String? {
    let words = Set(runs.map { origins[$0]!.training })
    return words.isEmpty ? nil : words.sorted().joined(separator: "; ")
  }

  /// The seeds of some runs, in their order.
  func seeds(of runs: [String]) -> String { runs.map { "\(origins[$0]!.seed)" }.joined(separator: ", ") }
}

/// What a run was trained on, and how.
private struct Origin {
  let dataset: String
  let seed: UInt64
  let limit: Int?
  let epsilon: Double
  let training: String

  init(of run: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: run, isDirectory: &isFolder)
    self =
      exists && !isFolder.boolValue
      ? try Origin(weights: run)
      : try Origin(TrainingConfiguration(contentsOf: RunFolder(run).configuration))
  }

  private init(_ run: TrainingConfiguration) throws {
    (dataset, seed, limit) = (run.data, run.seed, run.limit)
    epsilon = run.method == .pgd ? Double(try Epsilon(run.epsilon).float) : 0
    training =
      "\(run.model), \(run.epochs) epochs, batch \(run.batchSize), \(run.optimizer.rawValue) \(run.learningRate)"
      + " (\(run.schedule.rawValue)), weight decay \(run.weightDecay), \(run.limit.map { "\($0)" } ?? "all") images"
      + (run.method == .pgd
        ? ", PGD of \(run.steps) steps of \(run.stepSize) at epsilon \(run.epsilon)" : "")
  }

  /// A weights file does not say how many images it was trained on: all of the split are taken.
  private init(weights: String) throws {
    let metadata = try Safetensors(contentsOf: weights).metadata
    guard let name = metadata["dataset"] else {
      throw TemperError(
        .usage, file: weights, "does not name its data set", remedy: "Give run folders or tables of logits.")
    }
    dataset = name
    seed = metadata["seed"].flatMap { UInt64($0) } ?? 0
    limit = nil
    epsilon =
      metadata["method"] == "pgd" ? Double(try Epsilon(metadata["epsilon"] ?? "0").float) : 0
    training = "\(metadata["model"] ?? "unknown network"), weights of \(weights)"
  }
}
