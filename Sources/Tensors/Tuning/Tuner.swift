import Devices
import FileFormats

/// Measures plans for the products and convolutions of a workload on one device, within a budget of time.
///
/// Every case begins with the shipped plan, whose result is compared with sums in Double. A candidate that is faster than
/// the best so far wins only if its whole result agrees with that one. The table is written after every case; a later run
/// skips what has been measured and goes on in the middle of a case.
package final class Tuner {
  /// Fewest channels on both sides for which Winograd's algorithm is measured.
  static let leastWinogradChannels = 8

  /// What became of a case.
  package struct Outcome: Sendable {
    package let tuningCase: TuningCase
    package let entry: TuningTable.Entry
    /// Candidates of this run that were measured, that failed to compile or to launch, and that computed something else.
    package var measured = 0, failed = 0, wrong = 0
    /// Whether a run before had already tried every candidate.
    package var isKnown = false
  }

  private let device: OpenCL
  private let file: TuningFile?
  private let isQuick: Bool
  private let isStopped: () -> Bool
  private let candidates: [ProductTile]
  package private(set) var table: TuningTable

  /// - Parameters:
  ///   - file: where the table is kept, and read from first; nil keeps it in memory.
  ///   - isQuick: only shipped tiles and the first refinements, and shorter measurements.
  ///   - candidates: by default those of the device.
  ///   - isStopped: asked between two candidates.
  package init(
    _ device: OpenCL, file: TuningFile?, isQuick: Bool, candidates: [ProductTile]? = nil,
    isStopped: @escaping () -> Bool = { false }
  ) throws {
    (self.device, self.file, self.isQuick, self.isStopped) = (device, file, isQuick, isStopped)
    self.candidates =
      candidates
      ?? ProductTile.candidates(
        on: device.info, device.precision, quick: isQuick,
        copies: device.isEnabled(OpenCL.asynchronousVariant))
    table = (try? file?.read()) ?? TuningTable()
  }

  private var refinements: [@Sendable (ProductPlan) -> ProductPlan] {
    Array(ProductPlan.refinements.prefix(isQuick ? 4 : .max))
  }

  /// Tunes the cases in order. Each gets an equal share of the time that is left.
  package func run(
    _ cases: [TuningCase], within budget: Duration, report: (Outcome) -> Void = { _ in }
  ) throws {
    let end = ContinuousClock.now + budget
    for (number, tuningCase) in cases.enumerated() {
      let left = end - ContinuousClock.now
      if isStopped() || left <= .zero { return }
      let share = left / (cases.count - number)
      let outcome = try tune(tuningCase, until: ContinuousClock.now + share)
      table.entries[tuningCase.key] = outcome.entry
      if !outcome.isKnown { try file?.write(table) }
      report(outcome)
    }
  }

  private func tune(_ tuningCase: TuningCase, until deadline: ContinuousClock.Instant) throws -> Outcome {
    let known = table.entries[tuningCase.key].flatMap { $0.isQuick && !isQuick ? nil : $0 }
    let total = candidates.count + refinements.count
    if let known, known.tried >= (known.isQuick == isQuick ? total : 0) {
      return Outcome(tuningCase: tuningCase, entry: known, isKnown: true)
    }
    let trial = try TuningTrial(tuningCase, on: device)
    let shipped = device.shippedPlan(tuningCase.shape)
    let reference = try self.reference(trial, shipped)
    var entry: TuningTable.Entry
    if let known {
      entry = known
    } else {
      let time = try with(shipped) { try milliseconds(trial, limit: .infinity) }
      entry = .init(
        plan: shipped, milliseconds: time, shippedMilliseconds: time, winogradExtent: nil, tried: 0,
        isQuick: isQuick)
    }
    var outcome = Outcome(tuningCase: tuningCase, entry: entry)
    while entry.tried < total, ContinuousClock.now < deadline, !isStopped() {
      let plan = self.candidate(entry.tried, entry.plan, tuningCase.shape)
      entry.tried += 1
      guard plan != entry.plan, plan.tile.fits(device.info) else { continue }
      if let time = try measure(trial, plan, reference, limit: entry.milliseconds, &outcome) {
        (entry.plan, entry.milliseconds) = (plan, time)
      }
    }
    try chooseWinograd(trial, &entry, reference, &outcome)
    return Outcome(
      tuningCase: tuningCase, entry: entry, measured: outcome.measured, failed: outcome.failed,
      wrong: outcome.wrong)
  }

  /// Tiles first, each with the splits that the rule gives it; then refinements of the best plan.
  private func candidate(_ number: Int, _ best: ProductPlan, _ shape: ProductShape) -> ProductPlan {
    guard number < candidates.count else { return refinements[number - candidates.count](best) }
    return ProductTile.plan(shape, among: [candidates[number]], units: device.info.computeUnits)
  }

  /// Milliseconds of a plan that is faster than `limit` and computes what the reference did; else nil.
  /// - Throws: if the device is lost, which is no fault of the plan.
  private func measure(
    _ trial: TuningTrial, _ plan: ProductPlan, _ reference: [Float], limit: Double, _ outcome: inout Outcome
  ) throws -> Double? {
    do {
      outcome.measured += 1
      let time = try with(plan) { try milliseconds(trial, limit: limit) }
      guard time < limit else { return nil }
      if agrees(try with(plan) { try trial.run().floats() }, reference, trial) { return time }
      outcome.wrong += 1
    } catch {
      try device.synchronize()
      outcome.failed += 1
    }
    return nil
  }

  private func chooseWinograd(
    _ trial: TuningTrial, _ entry: inout TuningTable.Entry, _ reference: [Float], _ outcome: inout Outcome
  ) throws {
    guard device.precision == .fp32, case .convolution(_, let g) = trial.tuningCase, g.canUseWinograd,
      min(g.c, g.k) >= Self.leastWinogradChannels, entry.winogradExtent == nil
    else { return }
    var (best, extent) = (entry.milliseconds, 0)
    for candidate in [4, 2] where !isStopped() {
      let faster = TuningTable.$current.withValue(table) {
        GPUWinograd.$forcedExtent.withValue(candidate) { () -> Double? in
          outcome.measured += 1
          guard let time = try? milliseconds(trial, limit: best), time < best else { return nil }
          guard let result = try? trial.run().floats(), agrees(result, reference, trial) else { return nil }
          return time
        }
      }
      if let faster { (best, extent) = (faster, candidate) }
    }
    entry.winogradExtent = extent
  }

  /// The result of the shipped plan, compared with sums in Double.
  private func reference(_ trial: TuningTrial, _ plan: ProductPlan) throws -> [Float] {
    let result = try with(plan) { try trial.run().floats() }
    let error = trial.errorOfSamples(result)
    guard error <= 1 else {
      throw TemperError(
        .deviceUnavailable, field: "\(trial.tuningCase) on \(device.info.name)",
        "computes wrong results (\(error) times what rounding explains)",
        remedy: "Update the driver, or choose another device.")
    }
    return result
  }

  private func with<R>(_ plan: ProductPlan, _ body: () throws -> R) rethrows -> R {
    try ConvolutionAlgorithm.$forced.withValue(.direct) {
      try ProductPlan.$forced.withValue(plan, operation: body)
    }
  }

  private func agrees(_ result: [Float], _ reference: [Float], _ trial: TuningTrial) -> Bool {
    guard result.count == reference.count else { return false }
    let depth = Double(trial.tuningCase.shape.depth)
    // Operands are uniform in [-1, 1]: the magnitudes of a sum add up to about depth / 4.
    let allowed = Float(trial.tolerance(depth / 4 + 1))
    return zip(result, reference).allSatisfy { abs($0 - $1) <= allowed }
  }

  /// The least time of a run in milliseconds, out of three series; after one run that compiles and one that shows whether
  /// the rest is worth it.
  private func milliseconds(_ trial: TuningTrial, limit: Double) throws -> Double {
    func timed(_ runs: Int) throws -> Double {
      let start = ContinuousClock.now
      for _ in 0..<runs { _ = try trial.run() }
      try Device.openCL(device).synchronize()
      return (ContinuousClock.now - start) / .milliseconds(1) / Double(runs)
    }
    _ = try timed(1)
    var best = try timed(1)
    guard best < 2 * limit else { return best }
    let runs = max(1, min(50, Int((isQuick ? 5 : 20) / max(best, 1e-3))))
    for _ in 0..<3 { best = min(best, try timed(runs)) }
    return best
  }
}
