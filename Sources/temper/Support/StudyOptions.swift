import ArgumentParser
import Attacks
import Tensors

/// The networks that are compared, and how they are measured: what `temper analyze` and `temper report` share.
struct StudyOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Standard networks, one per seed.", valueName: "network"))
  var standard: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Adversarially trained networks, in the same order.", valueName: "network"))
  var robust: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Standard networks with the accuracy of the robust ones, in the same order.", valueName: "network"))
  var matched: [String] = []
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Adversarially trained runs of other radii.", valueName: "run"))
  var dose: [String] = []

  @Option(help: "Tables: labels, .npy (N), in place of those that they hold.") var labels: String?
  @Option(
    parsing: .unconditional,
    help:
      "Tables: of larger ones every n-th sample is used for lists of samples, orders of classes and plots, so that at most so many are (default: 200000, and 256 MB of logits)."
  )
  var mostSamples: Int?

  @Option(
    parsing: .unconditional,
    help: "Runs: radius of the attack in pixel units, such as 0.1 or 8/255 (default: 0.1).")
  var epsilon: String?
  @Option(help: "Runs: norm of the attack, linf or l2 (default: linf).") var norm: Norm?
  @Option(parsing: .unconditional, help: "Runs: steps of PGD, each a quarter of epsilon (default: 20).")
  var steps: Int?
  @Option(
    parsing: .unconditional,
    help: "Runs: images that are attacked, of the test and of the training images (default: 1000).")
  var attackedLimit: Int?
  @Option(parsing: .unconditional, help: "Runs: test images used, from the first on (default: all).")
  var limit: Int?
  @Option(help: ArgumentHelp("Runs: folder of the data set's files.", valueName: "folder")) var dataDir:
    String?
  @Flag(help: "Runs: use the last epoch's weights instead of the best.") var last = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    for (name, value) in [
      ("--limit", limit), ("--attacked-limit", attackedLimit), ("--steps", steps),
      ("--most-samples", mostSamples),
    ] {
      if let value, value < 1 { throw ValidationError("\(name) is \(value); give at least 1.") }
    }
    guard standard.count == robust.count, [0, robust.count].contains(matched.count) else {
      throw ValidationError(
        "--robust names \(robust.count) networks, --standard \(standard.count), --matched \(matched.count);"
          + " give as many of each, in the order of their seeds.")
    }
  }

  /// All networks, as they were named.
  var networks: [String] { standard + robust + matched + dose }

  /// Options that were given and speak about attacks alone.
  var attackOptions: [String] {
    Self.given([
      ("--epsilon", epsilon != nil), ("--norm", norm != nil), ("--steps", steps != nil),
      ("--attacked-limit", attackedLimit != nil),
    ])
  }

  /// Options that were given and speak about runs alone, whether they are attacked or not.
  var runOptions: [String] {
    Self.given([
      ("--limit", limit != nil), ("--data-dir", dataDir != nil), ("--last", last),
      ("--device", devices.name != "auto"), ("--require-gpu", devices.requireGPU),
      ("--threads", devices.threads != nil), ("--precision", devices.precision != .fp32),
    ])
  }

  /// Options that were given and speak about tables alone.
  var tableOptions: [String] {
    Self.given([("--labels", labels != nil), ("--most-samples", mostSamples != nil)])
  }

  private static func given(_ options: [(String, Bool)]) -> [String] {
    options.filter(\.1).map(\.0)
  }
}
