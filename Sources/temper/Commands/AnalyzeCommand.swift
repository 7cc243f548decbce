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
    abstract: "Compare the logits of standard and adversarially trained networks.",
    discussion: """
      Each network is a run folder, a .safetensors file of weights, or a table of logits (.safetensors of `temper
      logits`, .npz with the arrays logits and labels, or .npy with --labels). All must be about the same samples. Give the networks of several seeds, in the
      same order on both sides: only then the figures speak about training and not about two networks.

      EXAMPLES
        temper analyze --standard runs/standard --robust runs/at
        temper analyze --standard runs/standard-{0,1,2} --robust runs/at-{0,1,2} --out runs/comparison
        temper analyze --standard A.npy --robust B.npy --labels Y.npy --json
      """)

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Standard networks, one per seed.", valueName: "network"))
  var standard: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Adversarially trained networks, in the same order.", valueName: "network"))
  var robust: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Standard networks with the accuracy of the robust ones.", valueName: "network"))
  var matched: [String] = []
  @Option(help: "Labels, .npy (N), in place of those that tables hold.") var labels: String?
  @Option(
    parsing: .unconditional, help: "Images used of a run's test split, from the first on (default: all).")
  var limit: Int?
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Option(
    parsing: .unconditional,
    help:
      "Of larger tables every n-th sample is used for lists of samples and orders of classes, so that at most so many are."
  )
  var mostSamples = 200_000
  @Flag(help: "Print JSON.") var json = false
  @Option(
    help: ArgumentHelp("Also write study.json, study.md and all tables there.", valueName: "folder"))
  var out: String?
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give at least 1.") }
    if mostSamples < 1 { throw ValidationError("--most-samples is \(mostSamples); give at least 1.") }
  }

  func run() throws {
    var device: Device?
    let inputs = try (standard + robust + matched).map { try input($0, &device) }
    let tables = inputs.map(\.table)
    for (name, table) in zip(standard + robust + matched, tables) where try table.looksLikeProbabilities() {
      Console.note("warning: \(name) holds what looks like probabilities; give the logits before softmax.")
    }
    let count = standard.count
    let held = inputs.prefix(count + robust.count).compactMap(\.heldOut)
    let study = try LogitStudy(
      standard: Array(tables[..<count]), robust: Array(tables[count..<count + robust.count]),
      matched: Array(tables[(count + robust.count)...]),
      heldOut: held.count == count + robust.count ? held : [], mostThinned: mostSamples)
    if let out { try write(study, tables, to: out) }
    if json { return try Console.json(study) }
    Console.result(StudyText.markdown(study))
  }

  /// A network's logits, and those on the validation images if it is a run.
  private func input(
    _ path: String, _ device: inout Device?
  ) throws -> (table: any LogitSamples, heldOut: LogitTable?) {
    if try path.hasSuffix(".npy") || path.hasSuffix(".npz")
      || path.hasSuffix(".safetensors") && SafetensorsFile(contentsOf: path).names.contains("logits")
    {
      return (try LogitFile.open(path, labels: labels), nil)
    }
    let opened = try device ?? devices.open()
    device = opened
    let loaded = try LoadedNetwork(run: path, on: opened)
    let provenance = ["weights": loaded.file, "seed": loaded.metadata["seed"] ?? "unknown"]
    func table(_ split: SplitName, _ limit: Int?) throws -> LogitTable {
      let images = try loaded.images(split, data: nil, folder: dataDir).prefix(limit)
      return try LogitTable(
        of: loaded.network, over: try DeviceDataset(images, on: opened),
        measuresGradients: split == .test,
        provenance: provenance.merging([
          "dataset": images.name, "split": split.rawValue,
          LogitTable.ProvenanceKey.imagesSHA256: SHA256.hex(of: images.images),
        ]) { $1 })
    }
    return (try table(.test, limit), try table(.validation, nil))
  }

  private func write(_ study: LogitStudy, _ tables: [any LogitSamples], to folder: String) throws {
    try makeFolder(folder)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write([UInt8](try encoder.encode(study)), to: folder + "/study.json")
    try AtomicFile.write(StudyText.markdown(study), to: folder + "/study.md")
    let kinds = [("standard", standard.count), ("robust", robust.count), ("matched", matched.count)]
    let names = kinds.flatMap { kind, count in (0..<count).map { "\(kind)-\($0)" } }
    let kept = try LogitStudy.thinnedTables(tables, mostSamples: mostSamples)
    for (name, table) in zip(names, kept) { try table.write(to: "\(folder)/\(name)-logits.safetensors") }
  }
}

/// Makes a folder for results.
func makeFolder(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    throw TemperError(.io, file: path, "cannot be made", remedy: "Choose a folder that you may write to.")
  }
}
