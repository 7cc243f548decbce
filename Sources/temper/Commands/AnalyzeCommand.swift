import ArgumentParser
import Datasets
import Devices
import Distillation
import FileFormats
import Foundation
import Logits
import Reports

/// `temper analyze`
struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Compare the logits of a standard and an adversarially trained network.",
    discussion: """
      Each side is a run folder, a .safetensors file of weights, or a table of logits (.safetensors of `temper
      logits`, or .npy with --labels). Both must be about the same samples.

      EXAMPLES
        temper analyze --standard runs/standard --robust runs/at
        temper analyze --standard runs/standard --robust runs/at --out runs/comparison
        temper analyze --standard A.npy --robust B.npy --labels Y.npy --json
      """)

  @Option(help: "The standard network's run or table.") var standard: String
  @Option(help: "The adversarially trained network's run or table.") var robust: String
  @Option(help: "Labels, .npy, for tables that hold none.") var labels: String?
  @Option(help: "Images used of a run's test split, from the first on (default: all).") var limit: Int?
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Flag(help: "Print JSON.") var json = false
  @Option(
    help: ArgumentHelp(
      "Also write comparison.json, comparison.md and both tables there.", valueName: "folder"))
  var out: String?
  @OptionGroup var devices: DeviceOptions

  func run() throws {
    var device: Device?
    let tables = try [standard, robust].map { try table($0, &device) }
    for (name, table) in zip([standard, robust], tables) where table.looksLikeProbabilities {
      Console.note("warning: \(name) holds what looks like probabilities; give the logits before softmax.")
    }
    let comparison = try LogitComparison(standard: tables[0], robust: tables[1])
    if let out { try write(comparison, tables, to: out) }
    if json { return try Console.json(comparison) }
    Console.result(ComparisonText.markdown(comparison))
  }

  private func table(_ path: String, _ device: inout Device?) throws -> LogitTable {
    if path.hasSuffix(".npy") { return try LogitTable(contentsOf: path, labels: labels) }
    if path.hasSuffix(".safetensors"), try Safetensors(contentsOf: path).contains("logits") {
      return try LogitTable(contentsOf: path, labels: labels)
    }
    let opened = try device ?? devices.open()
    device = opened
    let loaded = try LoadedNetwork(run: path, on: opened)
    let images = try loaded.images(.test, data: nil, folder: dataDir).prefix(limit)
    return try LogitTable(
      of: loaded.network, over: try DeviceDataset(images, on: opened),
      provenance: ["weights": loaded.file, "dataset": images.name, "split": "test"])
  }

  private func write(_ comparison: LogitComparison, _ tables: [LogitTable], to folder: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw TemperError(.io, file: folder, "cannot be made", remedy: "Choose a folder that you may write to.")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write([UInt8](try encoder.encode(comparison)), to: folder + "/comparison.json")
    try AtomicFile.write(ComparisonText.markdown(comparison), to: folder + "/comparison.md")
    try tables[0].write(to: folder + "/standard-logits.safetensors")
    try tables[1].write(to: folder + "/robust-logits.safetensors")
  }
}
