import Analysis
import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Logits
import Reports
import Training

/// Everything that could be measured of the networks that ``StudyOptions`` names: what `temper analyze` prints and
/// `temper report` shows.
struct GatheredStudy {
  let results: StudyResults
  /// Logits of clean images, one table per network.
  private let standard, robust, matched: [any LogitSamples]
  /// Of more samples every n-th is listed and drawn.
  private let mostSamples: Int
  /// The images of the tables' rows; nil if some networks are tables.
  let images: ImageDataset?

  /// Names of the classes: the data set's, else their numbers.
  var classNames: [String] {
    images?.classNames ?? (0..<results.clean.classCount).map { "\($0)" }
  }

  /// Reads tables and measures runs. What was measured of a run is kept in its folder `analysis`.
  init(_ options: StudyOptions) throws {
    let tables = try Set(options.networks.filter(Self.isTable))
    let runs = options.networks.filter { !tables.contains($0) }
    try Self.warn(options, tables)
    let measuring = runs.isEmpty ? nil : try StudyMeasurement(options, runs: runs)
    if let measuring, tables.isEmpty {
      self = try measuring.study()
      return
    }
    var own: [DoseResponse.Dose] = []
    func samples(_ path: String) throws -> any LogitSamples {
      guard let measuring, !tables.contains(path) else { return try Self.open(path, options) }
      let table = try measuring.clean(path)
      own.append(measuring.dose(path, table))
      return table
    }
    standard = try options.standard.map(samples)
    robust = try options.robust.map(samples)
    let doses = try own + options.dose.map { try measuring!.dose($0, measuring!.clean($0)) }
    matched = try options.matched.map(samples)
    Console.clearTransient()
    mostSamples = options.mostSamples ?? Self.mostSamples(classes: standard[0].classCount)
    results = StudyResults(
      standardNames: options.standard, robustNames: options.robust,
      clean: try LogitStudy(
        standard: standard, robust: robust, matched: matched,
        names: options.standard + options.robust + options.matched, mostThinned: mostSamples),
      dose: options.dose.isEmpty ? nil : DoseResponse(doses),
      settings: ["temper": Temper.version].merging(options.labels.map { ["labels": $0] } ?? [:]) { $1 })
    images = nil
  }

  init(
    _ results: StudyResults, standard: [LogitTable], robust: [LogitTable], matched: [LogitTable],
    images: ImageDataset
  ) {
    (self.results, self.standard, self.robust, self.matched) = (results, standard, robust, matched)
    (self.images, mostSamples) = (images, .max)
  }

  /// The logits of all samples, or of every n-th one of large tables, with rows in one order.
  func tables(matched isMatchedWanted: Bool) throws -> (
    standard: [LogitTable], robust: [LogitTable], matched: [LogitTable]
  ) {
    let all = try LogitStudy.thinnedTables(
      standard + robust + (isMatchedWanted ? matched : []), mostSamples: mostSamples)
    let seeds = standard.count
    return (Array(all[..<seeds]), Array(all[seeds..<2 * seeds]), Array(all[(2 * seeds)...]))
  }

  /// How many samples of tables are listed and drawn unless options say it: 200,000, and at most 256 MB of logits a network.
  private static func mostSamples(classes: Int) -> Int { min(200_000, max(1, (1 << 26) / classes)) }

  /// Whether a network is named by a table of its logits.
  private static func isTable(_ path: String) throws -> Bool {
    if path.hasSuffix(".npy") || path.hasSuffix(".npz") { return true }
    return try path.hasSuffix(".safetensors") && SafetensorsFile(contentsOf: path).names.contains("logits")
  }

  private static func open(_ path: String, _ options: StudyOptions) throws -> any LogitSamples {
    let samples = try LogitFile.open(path, labels: options.labels)
    if try samples.looksLikeProbabilities() {
      Console.note("warning: \(path) holds what looks like probabilities; give the logits before softmax.")
    }
    if try samples.readLabels() == nil {
      Console.note(
        "warning: \(path) has no labels, so that accuracy, margins, calibration and classes are not measured; give "
          + "--labels.")
    }
    return samples
  }

  /// Says which options have no effect, and what is not measured because some networks are tables.
  private static func warn(_ options: StudyOptions, _ tables: Set<String>) throws {
    if let path = options.dose.first(where: tables.contains) {
      throw TemperError(
        .usage, field: "--dose", "\(path) is a table, which does not say its network's radius",
        remedy: "Give run folders.")
    }
    func warn(_ names: [String], _ reason: String) {
      guard !names.isEmpty else { return }
      Console.note(
        "warning: \(names.joined(separator: ", ")) \(names.count == 1 ? "has" : "have") no effect: \(reason)."
      )
    }
    guard let path = options.networks.first(where: tables.contains) else {
      return warn(options.tableOptions, "no network is given as a table of logits")
    }
    let isBare = tables.count == Set(options.networks).count
    warn(
      options.attackOptions + (isBare ? options.runOptions : []),
      isBare ? "all networks are tables of logits" : "\(path) is a table, whose network cannot be attacked")
    Console.note(
      "note: \(path) is a table of logits, so that attacked images, checks of the theory, features of the images and"
        + " temperatures on validation images are not measured; for these, give run folders only.")
  }
}

/// Measures the runs among the networks of a study on one device.
struct StudyMeasurement {
  private let options: StudyOptions
  private let device: Device
  private let data: RunData
  private let threat: ThreatModel
  private let settings: MeasurementSettings

  init(_ options: StudyOptions, runs: [String]) throws {
    self.options = options
    threat = ThreatModel(options.norm ?? .linf, try Epsilon(options.epsilon ?? "0.1"))
    var settings = MeasurementSettings(
      attack: try PGD(threat, stepSize: threat.epsilon.float / 4, steps: options.steps ?? 20))
    settings.limit = options.limit
    settings.last = options.last
    if let limit = options.attackedLimit { settings.attackedLimit = limit }
    self.settings = settings
    data = try RunData(runs: runs, folder: options.dataDir)
    device = try options.devices.open()
    Interruption.catchSignals()
  }

  /// The logits of clean test images.
  func clean(_ run: String) throws -> LogitTable {
    try RunMeasurement.clean(of: run, data.split(of: run), settings, on: device, progress: show)
  }

  /// A network with the radius that it was trained at.
  func dose(_ run: String, _ table: LogitTable) -> DoseResponse.Dose {
    DoseResponse.Dose(name: run, epsilon: data.epsilon(of: run), table: table)
  }

  /// Everything, if all networks are runs.
  func study() throws -> GatheredStudy {
    func measure(_ runs: [String]) throws -> [RunMeasurement] {
      try runs.map { try RunMeasurement(of: $0, data.split(of: $0), settings, on: device, progress: show) }
    }
    let (standard, robust) = try (measure(options.standard), measure(options.robust))
    let matched = try options.matched.map(clean)
    let doses = try options.dose.map { dose($0, try clean($0)) }
    Console.clearTransient()
    let images = data.test.prefix(settings.limit)
    let results = try StudyResults(
      measurements: standard, robust, matched: Array(zip(options.matched, matched)), doses: doses,
      images: images,
      robustEpsilon: options.robust.map { data.epsilon(of: $0) },
      attackEpsilon: Double(threat.epsilon.float), settings: described)
    return GatheredStudy(
      results, standard: standard.map(\.clean), robust: robust.map(\.clean), matched: matched, images: images)
  }

  private func show(_ message: String) throws {
    Console.transient(message)
    try stopIfInterrupted()
  }

  private var described: [String: String] {
    let trained = [
      "standard networks": options.standard, "adversarially trained networks": options.robust,
      "standard networks of equal accuracy": options.matched, "networks of other radii": options.dose,
    ].compactMapValues { data.training(of: $0) }
    return [
      "attack":
        "PGD on cross-entropy, \(threat.norm.rawValue), epsilon \(threat.epsilon.text), \(settings.attack.steps) steps of"
        + " \(settings.attack.stepSize), random start, seed \(settings.attack.seed)",
      "attacked images": "the first \(settings.attackedLimit) of the test and of the training images",
      "data set": data.test.name, "device": device.description, "temper": Temper.version,
      "weights": settings.last ? "the last epoch's" : "of the epoch that did best on validation images",
      "seeds": data.seeds(of: options.standard),
    ].merging(trained) { $1 }
  }
}
