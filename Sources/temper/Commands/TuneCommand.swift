import ArgumentParser
import Devices
import FileFormats
import Foundation
import Networks
import Tensors
import Training

/// `temper tune`
struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Measure which kernel settings are fastest on an OpenCL GPU, and keep them.",
    discussion: """
      Products and convolutions on GPUs have many settings. Without tuning they run with ones that suit the maker; this
      command measures others for the shapes of a model and keeps the fastest in the cache folder, for this device and
      driver. A setting wins only if its result is right. Stop it at any time: what has been measured is kept, and the same
      command goes on.

      EXAMPLES
        temper tune
        temper tune --model resnet18 --seconds 1800
        temper tune --quick --device opencl:1 --json
      """)

  @Flag(help: "Only a few settings per shape.") var quick = false
  @Option(help: "Model whose shapes are measured: \(ModelCatalog.names.joined(separator: ", ")).")
  var model = "resnet18"
  @Option(help: "Images per batch.") var batchSize = 128
  @Option(parsing: .unconditional, help: "Most seconds to spend (default: 900, or 90 with --quick).")
  var seconds: Double?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if let seconds, !(seconds > 0) { throw ValidationError("--seconds is above 0.") }
    if batchSize < 1 { throw ValidationError("--batch-size is at least 1.") }
  }

  func run() throws {
    let cases = try Self.workload(of: model).cases(batchSize: batchSize, devices.precision)
    guard case .openCL(let device) = try devices.open() else {
      throw TemperError(
        .usage, field: "--device", "is the CPU, whose kernels have nothing to tune",
        remedy: "Choose an OpenCL device, see `temper devices`.")
    }
    guard device.kernelShape == .gpu else {
      Console.note("The kernels of \(device.info.name) are shaped for CPUs and have nothing to tune.")
      return try finish(Report(device: device.info.name, file: nil, cases: []))
    }
    let file = TuningFile(device.info, device.precision)
    if file == nil { Console.note("TEMPER_CACHE_DIR is empty: the results will not be kept.") }
    Interruption.catchSignals()
    let tuner = try Tuner(device, file: file, isQuick: quick, isStopped: { Interruption.isRequested })
    var rows: [Report.Row] = []
    try tuner.run(cases, within: .seconds(seconds ?? (quick ? 90 : 900))) { outcome in
      rows.append(Report.Row(outcome))
      Console.note("[\(rows.count)/\(cases.count)] \(rows.last!.text)")
    }
    if Interruption.isRequested {
      throw TemperError(
        .interrupted, "stopped after \(rows.count) of \(cases.count) shapes",
        remedy: "The same command goes on.")
    }
    try finish(Report(device: device.info.name, file: file?.path, cases: rows))
  }

  private func finish(_ report: Report) throws {
    if json { return try Console.json(report) }
    guard let file = report.file else { return }
    let tuned = report.cases.filter { $0.milliseconds < $0.shippedMilliseconds }.count
    Console.result(
      "\(tuned) of \(report.cases.count) shapes run faster than with the shipped settings: \(file)")
  }

  /// The shapes that training and attacking a model runs.
  private static func workload(of model: String) throws -> Workload {
    let isColor = model == "resnet18"
    let description = NetworkDescription(
      model: model, height: isColor ? 32 : 28, width: isColor ? 32 : 28, channels: isColor ? 3 : 1,
      classes: 10)
    let network = try ModelCatalog.make(description, seed: 0, on: .cpu(.shared))
    let image = try Tensor(
      repeating: 0, shape: [1, description.height, description.width, description.channels], on: .cpu(.shared)
    )
    let workload = Workload()
    _ = try Workload.$recorder.withValue(workload) { try network(image, mode: .training) }
    return workload
  }

  private struct Report: Encodable {
    struct Row: Encodable {
      let name: String
      let tile: String
      let splits: Int
      let milliseconds, shippedMilliseconds: Double
      let winogradExtent: Int?
      let measured, failed, wrong: Int
      let isKnown: Bool

      enum CodingKeys: String, CodingKey {
        case name, tile, splits, milliseconds, measured, failed, wrong
        case shippedMilliseconds = "shipped_milliseconds"
        case winogradExtent = "winograd_extent"
        case isKnown = "known_before"
      }

      init(_ outcome: Tuner.Outcome) {
        let (entry, tile) = (outcome.entry, outcome.entry.plan.tile)
        name = outcome.tuningCase.description
        self.tile = "\(tile.m)x\(tile.n)x\(tile.depth) of \(tile.itemM)x\(tile.itemN)"
        splits = entry.plan.splits
        (milliseconds, shippedMilliseconds) = (entry.milliseconds, entry.shippedMilliseconds)
        winogradExtent = entry.winogradExtent
        (measured, failed, wrong) = (outcome.measured, outcome.failed, outcome.wrong)
        isKnown = outcome.isKnown
      }

      var text: String {
        let times = String(format: "%.3f ms, shipped %.3f ms", milliseconds, shippedMilliseconds)
        let extent = winogradExtent.map { $0 == 0 ? ", direct" : ", Winograd \($0)x\($0)" } ?? ""
        let tries = isKnown ? "known" : "\(measured) tried, \(failed) failed, \(wrong) wrong"
        return "\(name): \(times), tile \(tile), \(splits) parts\(extent) (\(tries))"
      }
    }

    let device: String
    let file: String?
    let cases: [Row]
  }
}
