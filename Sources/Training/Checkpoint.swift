import FileFormats
import Foundation
import Networks

/// The state of a run between two batches: weights, optimizer, and how far it is. Random numbers need no state,
/// since they are keyed by epoch and sample.
struct Checkpoint {
  /// Where a run stands.
  struct Progress: Codable, Equatable {
    /// The epoch that comes next or is under way, from 0.
    var epoch = 0
    /// Batches of that epoch that are done.
    var batch = 0
    /// Sum of the losses of those batches, each times its number of images.
    var lossSum = 0.0
    /// Images of those batches.
    var images = 0
    /// Optimizer updates made.
    var step = 0
    /// Highest validation score so far.
    var bestScore = -1.0
    /// Finished lines of metrics.csv, without the header.
    var metrics: [String] = []
    /// The run's configuration, to refuse another one.
    var configuration = ""
  }

  static func save(
    _ progress: Progress, _ network: any Network, _ optimizer: Optimizer, to path: String
  ) throws {
    var file = Safetensors()
    for tensor in try StateDict.tensors(of: network) {
      try file.append("model." + tensor.name, shape: tensor.shape, floats: tensor.values)
    }
    for vector in try optimizer.state() {
      try file.append(vector.name, shape: [vector.values.count], floats: vector.values)
    }
    var progress = progress
    progress.step = optimizer.step
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    file.metadata["progress"] = String(decoding: try encoder.encode(progress), as: UTF8.self)
    try file.write(to: path)
  }

  static func load(
    _ path: String, into network: any Network, _ optimizer: Optimizer
  ) throws -> Progress {
    let file = try Safetensors(contentsOf: path)
    guard let text = file.metadata["progress"],
      let progress = try? JSONDecoder().decode(Progress.self, from: Data(text.utf8))
    else {
      throw TemperError(
        .badData, file: path, field: "progress", "is missing or damaged",
        remedy: "Delete the file to start the run anew.")
    }
    try StateDict.load(into: network, file: path) { try file.floats("model." + $0) }
    try optimizer.restore(step: progress.step) { try file.floats($0).values }
    return progress
  }
}
