import ArgumentParser
import Attacks
import Datasets
import Distillation
import FileFormats
import Logits

/// `temper logits`
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Write a network's logits as a table.",
    discussion: """
      .safetensors holds logits, labels, sample ids, the gaps' gradients if asked for, and where they come from; .npy the
      logits alone. With --attacked the images are perturbed first, by one attack.

      EXAMPLES
        temper logits runs/at --split test --out at-logits.safetensors
        temper logits runs/at --attacked --epsilon 0.1 --steps 20 --limit 1000 --out attacked.safetensors
        temper logits --weights W.safetensors --model small-cnn --images X.npy --out L.npy
      """)

  @Argument(help: ArgumentHelp("A run folder or a .safetensors file.", valueName: "run")) var source: String?
  @Option(help: "A .safetensors file of any origin, instead of a run.") var weights: String?
  @Option(help: "Its architecture, if the file does not say: small-cnn, mlp or resnet18.") var model: String?
  @Option(help: "Images, .npy (N, C, H, W) in [0, 1], instead of a data set.") var images: String?
  @Option(help: "Their labels, .npy.") var labels: String?
  @Option(help: "train, validation or test.") var split = SplitName.test
  @Option(parsing: .unconditional, help: "Images used, from the first on (default: all).") var limit: Int?
  @Option(help: "Data set (default: the one trained on).") var data: String?
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Option(help: "Where to write, .safetensors or .npy.") var out: String
  @Flag(help: "Use the last epoch's weights instead of the best.") var last = false
  @Flag(help: "Also measure the L1 norm of each logit gap's gradient by the image.") var gradients = false
  @Flag(help: "Perturb the images first; the attack's options follow.") var attacked = false
  @OptionGroup(title: "Attack") var attack: AttackOptions
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    guard (source == nil) != (weights == nil) else {
      throw ValidationError("Give either a run or --weights.")
    }
    guard out.hasSuffix(".npy") || out.hasSuffix(".safetensors") else {
      throw ValidationError("--out \(out) ends neither in .npy nor in .safetensors.")
    }
    guard !gradients || out.hasSuffix(".safetensors") else {
      throw ValidationError("--gradients needs --out to end in .safetensors.")
    }
    if attacked {
      guard images == nil || labels != nil else {
        throw ValidationError("--attacked needs the images' --labels.")
      }
      guard attack.attack != .none, attack.loss != .worst, attack.restarts == 1 else {
        throw ValidationError(
          "A table holds the logits of one attack: give fgsm or pgd, one loss, one restart.")
      }
    }
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give at least 1.") }
  }

  func run() throws {
    try AtomicFile.checkWritable(out)
    let device = try devices.open()
    let loaded =
      try source.map { try LoadedNetwork(run: $0, last: last, on: device) }
      ?? LoadedNetwork(weights: weights!, model: model, on: device)
    var provenance = [
      "weights": loaded.file, "weights_sha256": SHA256.hex(of: try InputFile.read(loaded.file)),
      "model": loaded.network.description.model,
    ]
    let attack = try singleAttack(&provenance)
    if let images {
      provenance["images"] = images
      let arrays = try ArrayDataset(
        imageFile: images, labelFile: labels, extents: loaded.network.description.extents,
        classes: loaded.network.description.classes, on: device)
      return try write(loaded, arrays, attack, hasLabels: labels != nil, provenance)
    }
    let dataset = try loaded.images(split, data: data, folder: dataDir).prefix(limit)
    provenance["dataset"] = dataset.name
    provenance["split"] = split.rawValue
    provenance[LogitTable.ProvenanceKey.imagesSHA256] = SHA256.hex(of: dataset.images)
    try write(loaded, try DeviceDataset(dataset, on: device), attack, hasLabels: true, provenance)
  }

  /// A `.npy` file is written batch by batch.
  private func write(
    _ loaded: LoadedNetwork, _ source: some BatchSource, _ attack: any Attack, hasLabels: Bool,
    _ provenance: [String: String]
  ) throws {
    let count: Int
    if out.hasSuffix(".npy") {
      count = try LogitTable.write(
        of: loaded.network, over: source, attack: attack, limit: limit, to: out, progress: progress)
    } else {
      let table = try LogitTable(
        of: loaded.network, over: source, attack: attack, measuresGradients: gradients, hasLabels: hasLabels,
        limit: limit, provenance: provenance, progress: progress)
      try table.write(to: out)
      count = table.sampleCount
    }
    Console.clearTransient()
    Console.note("\(out): \(count) samples x \(loaded.network.description.classes) classes")
  }

  private func singleAttack(_ provenance: inout [String: String]) throws -> any Attack {
    guard attacked else { return NoAttack() }
    let settings = try attack.settings()
    provenance["attack"] = settings.kind.rawValue
    provenance["epsilon"] = settings.threat.epsilon.text
    return try settings.attacks()[0]
  }

  private func progress(_ done: Int) { Console.transient("logits of \(done) samples") }
}
