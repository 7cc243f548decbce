import Analysis
import ArgumentParser
import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Logits
import Reports
import Tensors
import Training

/// `temper report`
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a report about the logits of standard and adversarially trained runs.",
    discussion: """
      Measures every run on clean and attacked images, compares the two kinds over the seeds, checks what theory says, and
      writes one self-contained HTML page with tables, plots (by gnuplot) and galleries, or its texts and tables as Markdown. What was measured is kept in each
      run's folder `analysis`, so that a stopped report goes on.

      EXAMPLES
        temper report --standard runs/standard --robust runs/at --epsilon 0.1 --out report.html
        temper report --standard runs/standard-{0,1,2} --robust runs/at-{0,1,2} --dose runs/at-0-epsilon-0.05 --out r.html
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Run folders of standard networks, one per seed.", valueName: "run"))
  var standard: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Run folders of adversarially trained networks, in the same order.", valueName: "run"))
  var robust: [String]
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Standard runs with the accuracy of the robust ones, in the same order.", valueName: "run"))
  var matched: [String] = []
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Adversarially trained runs of other radii.", valueName: "run"))
  var dose: [String] = []
  @Option(parsing: .unconditional, help: "Radius of the attack in pixel units, such as 0.1 or 8/255.")
  var epsilon = "0.1"
  @Option(help: "Norm of the attack: linf or l2.") var norm = Norm.linf
  @Option(parsing: .unconditional, help: "Steps of PGD, each a quarter of epsilon.") var steps = 20
  @Option(parsing: .unconditional, help: "Test images used, from the first on (default: all).") var limit:
    Int?
  @Option(parsing: .unconditional, help: "Images that are attacked, of the test and of the training images.")
  var attackedLimit = 1000
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Option(help: ArgumentHelp("The report, .html or .md.", valueName: "file")) var out: String
  @Flag(help: "Print the figures as JSON.") var json = false
  @Flag(help: "Use the last epoch's weights instead of the best.") var last = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    guard out.hasSuffix(".html") || out.hasSuffix(".md") else {
      throw ValidationError("--out \(out) ends neither in .html nor in .md.")
    }
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give at least 1.") }
    if attackedLimit < 1 { throw ValidationError("--attacked-limit is \(attackedLimit); give at least 1.") }
    if steps < 1 { throw ValidationError("--steps is \(steps); give at least 1.") }
    guard standard.count == robust.count, [0, robust.count].contains(matched.count) else {
      throw ValidationError(
        "--robust names \(robust.count) runs, --standard \(standard.count), --matched \(matched.count); give as many of each."
      )
    }
  }

  func run() throws {
    let threat = ThreatModel(norm, try Epsilon(epsilon))
    var settings = MeasurementSettings(
      attack: try PGD(threat, stepSize: threat.epsilon.float / 4, steps: steps))
    (settings.limit, settings.attackedLimit, settings.last) = (limit, attackedLimit, last)
    let device = try devices.open()
    Interruption.catchSignals()
    let data = try RunData(runs: standard + robust + matched + dose, folder: dataDir)
    func show(_ message: String) throws {
      Console.transient(message)
      try stopIfInterrupted()
    }
    func measure(_ runs: [String]) throws -> [RunMeasurement] {
      try runs.map {
        try RunMeasurement(of: $0, data.split(of: $0), settings, on: device, progress: show)
      }
    }
    func clean(_ run: String) throws -> LogitTable {
      try RunMeasurement.clean(of: run, data.split(of: run), settings, on: device, progress: show)
    }
    let (a, b, equal) = try (measure(standard), measure(robust), matched.map(clean))
    let doses = try dose.map { run in
      DoseResponse.Dose(name: run, epsilon: try data.epsilon(of: run), table: try clean(run))
    }
    Console.clearTransient()
    let images = data.test.prefix(limit)
    let results = try StudyResults(
      measurements: a, b, matched: equal, doses: doses, images: images,
      robustEpsilon: robust.map { try data.epsilon(of: $0) }, attackEpsilon: Double(threat.epsilon.float),
      settings: described(settings, data, device))
    let report = StudyReport(
      results, standard: a.map(\.clean), robust: b.map(\.clean),
      images: [1, 3].contains(images.channels)
        ? .init(height: images.height, width: images.width, channels: images.channels, bytes: images.images)
        : nil,
      classNames: images.classNames, commands: [CommandLine.arguments.map(quoted).joined(separator: " ")])
    let page = report.page
    try AtomicFile.write(out.hasSuffix(".md") ? page.markdown : page.html(), to: out)
    if out.hasSuffix(".html"), Gnuplot.installed == nil {
      Console.note("note: gnuplot is missing; the page comes without plots (apt-get install gnuplot-nox).")
    }
    Console.note(out)
    if json { try Console.json(results) }
  }

  private func described(_ settings: MeasurementSettings, _ data: RunData, _ device: Device) -> [String:
    String]
  {
    let trained = [
      "standard networks": standard, "adversarially trained networks": robust,
      "standard networks of equal accuracy": matched, "networks of other radii": dose,
    ].compactMapValues { data.training(of: $0) }
    return [
      "attack":
        "PGD on cross-entropy, \(norm.rawValue), epsilon \(epsilon), \(steps) steps of \(settings.attack.stepSize),"
        + " random start, seed \(settings.attack.seed)",
      "attacked images": "the first \(attackedLimit) of the test and of the training images",
      "data set": data.test.name, "device": device.description, "temper": Temper.version,
      "weights": last ? "the last epoch's" : "of the epoch that did best on validation images",
      "seeds": data.seeds(of: standard),
    ].merging(trained) { $1 }
  }

  /// The program by its name alone; arguments with blanks in quotes.
  private func quoted(_ argument: String) -> String {
    if argument == CommandLine.arguments.first { return "temper" }
    return argument.contains(" ") ? "'\(argument)'" : argument
  }
}

/// The data set that some runs share, split as each run split it.
struct RunData {
  let train: ImageDataset
  let test: ImageDataset
  private let configurations: [String: TrainingConfiguration]

  /// Reads the configurations of runs.
  /// - Throws: `.usage` if they were trained on different data sets.
  init(runs: [String], folder: String?) throws {
    configurations = try Dictionary(
      runs.map { ($0, try TrainingConfiguration(contentsOf: RunFolder($0).configuration)) },
      uniquingKeysWith: { $1 })
    let names = Set(configurations.values.map(\.data))
    guard names.count == 1, let name = names.first else {
      throw TemperError(
        .usage, field: "--robust",
        "names runs on different data sets: \(names.sorted().joined(separator: ", "))",
        remedy: "Give runs on one data set.")
    }
    (train, test) = try DatasetCatalog.load(name, folder: folder)
  }

  /// The images as a run saw them.
  func split(of run: String) throws -> DatasetSplit {
    let configuration = configurations[run]!
    return try DatasetSplit(train: train, test: test, seed: configuration.seed, limit: configuration.limit)
  }

  /// The radius that a run was trained at; 0 for standard training.
  func epsilon(of run: String) throws -> Double {
    let configuration = configurations[run]!
    return configuration.method == .pgd ? Double(try Epsilon(configuration.epsilon).float) : 0
  }

  /// How some runs were trained, in words; nil for no runs.
  func training(of runs: [String]) -> String? {
    let words = Set(
      runs.map { run in
        let run = configurations[run]!
        return
          "\(run.model), \(run.epochs) epochs, batch \(run.batchSize), \(run.optimizer.rawValue) \(run.learningRate)"
          + " (\(run.schedule.rawValue)), weight decay \(run.weightDecay), \(run.limit.map { "\($0)" } ?? "all") images"
          + (run.method == .pgd
            ? ", PGD of \(run.steps) steps of \(run.stepSize) at epsilon \(run.epsilon)" : "")
      })
    return words.isEmpty ? nil : words.sorted().joined(separator: "; ")
  }

  /// The seeds of some runs, in their order.
  func seeds(of runs: [String]) -> String {
    runs.map { "\(configurations[$0]!.seed)" }.joined(separator: ", ")
  }
}
