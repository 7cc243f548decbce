import Devices
import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// The tuner with tiny shapes and budgets, its file, and that later launches use it.
@Suite struct TunerTests {
  static let candidates: [ProductTile] = {
    var impossible = ProductTile(32, 32, 8, item: 4, 4)
    impossible.padding = 1 << 20
    return [ProductTile(16, 16, 8, item: 2, 2), impossible, ProductTile(32, 16, 8, item: 4, 2)]
  }()
  static let geometry = try! ConvolutionGeometry(
    images: [2, 6, 6, 8], weights: [3, 3, 8, 8], stride: 1, padding: 1)
  static let cases: [TuningCase] =
    [.product(ProductShape(rows: 5, columns: 9, depth: 40, batch: 2), transposeA: true)]
    + Convolution.Direction.allCases.map { .convolution($0, geometry) }

  @Test(.enabled(if: !isUnderOclgrind, "repetitions that take long there"), arguments: devicesWithGPUKernels)
  func everyCaseGetsAPlanThatIsKept(device: OpenCL) throws {
    try withTemporaryFolder { folder in
      let file = TuningFile(device.info, folder: folder)!
      let tuner = try Tuner(device, file: file, isQuick: true, candidates: Self.candidates)
      var outcomes: [Tuner.Outcome] = []
      try tuner.run(Self.cases, within: .seconds(600)) { outcomes.append($0) }
      #expect(outcomes.count == 4 && tuner.table.entries.count == 4)
      for outcome in outcomes {
        #expect(outcome.measured > 1 && outcome.wrong == 0 && outcome.failed == 0 && !outcome.isKnown)
        #expect(outcome.entry.milliseconds <= outcome.entry.shippedMilliseconds)
        #expect(outcome.entry.plan.tile.fits(device.info))
        let isConvolution = outcome.tuningCase.kind != .product
        #expect((outcome.entry.winogradExtent != nil) == isConvolution)
      }
      #expect(try file.read() == tuner.table)
      // A second run has nothing left to do.
      let again = try Tuner(device, file: file, isQuick: true, candidates: Self.candidates)
      try again.run(Self.cases, within: .seconds(600)) { #expect($0.isKnown && $0.measured == 0) }
      #expect(again.table == tuner.table)
    }
  }

  /// Stopped in the middle of a case, it goes on there and comes to an end.
  @Test(.enabled(if: !isUnderOclgrind, "repetitions that take long there"), arguments: devicesWithGPUKernels)
  func interruptedRunsGoOn(device: OpenCL) throws {
    try withTemporaryFolder { folder in
      let file = TuningFile(device.info, folder: folder)!
      let cases = Array(Self.cases.prefix(2))
      var tried: [Int] = []
      for _ in 0..<40 {
        var questions = 0
        let tuner = try Tuner(
          device, file: file, isQuick: true, candidates: Self.candidates,
          isStopped: {
            questions += 1
            return questions > 3
          })
        try tuner.run(cases, within: .seconds(600))
        tried.append(try file.read().entries.values.reduce(0) { $0 + $1.tried })
        if tried.last == 14 { break }
      }
      #expect(tried.last == 14, "\(tried)")
      #expect(tried.count > 4 && tried == tried.sorted(), "\(tried)")
    }
  }

  /// A file in which the case's plan is so slow that every candidate is faster.
  private static func slowFile(_ info: OpenCLDeviceInfo, _ folder: String) throws -> TuningFile {
    let file = TuningFile(info, folder: folder)!
    var table = TuningTable()
    table.entries[cases[0].key] = .init(
      plan: ProductPlan(tile: .smallest), milliseconds: 1e9, shippedMilliseconds: 1e9, winogradExtent: nil,
      tried: 0,
      isQuick: true)
    try file.write(table)
    return file
  }

  /// However fast, what computes something else does not win.
  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesWithGPUKernels)
  func wrongCandidatesDoNotWin(device: OpenCL) throws {
    let wrong = ProductTile(16, 16, 8, item: 2, 2)
    for fault in [nil, "wrong:matmul_gpu:TILE_M=16"] {
      try withTemporaryFolder { folder in
        let device = try OpenCL(
          device.info, kernelShape: .gpu, cache: nil, faults: fault.map { try FaultInjection($0) })
        var outcome: Tuner.Outcome?
        let tuner = try Tuner(
          device, file: Self.slowFile(device.info, folder), isQuick: true, candidates: [wrong])
        try tuner.run([Self.cases[0]], within: .seconds(600)) { outcome = $0 }
        let plan = try #require(outcome).entry.plan
        #expect((outcome?.wrong == 0) == (fault == nil))
        #expect((plan == ProductPlan(tile: .smallest)) == (fault != nil), "\(plan)")
      }
    }
  }

  /// A lost device ends the run; what it did not measure is not counted as tried.
  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesWithGPUKernels)
  func lostDevicesEndTheRun(device: OpenCL) throws {
    try withTemporaryFolder { folder in
      let file = try Self.slowFile(device.info, folder)
      let table = try file.read()
      let lost = try OpenCL(
        device.info, kernelShape: .gpu, cache: nil, faults: FaultInjection("launch:matmul_gpu:2"))
      let tuner = try Tuner(lost, file: file, isQuick: true, candidates: Self.candidates)
      let error = #expect(throws: TemperError.self) { try tuner.run(Self.cases, within: .seconds(600)) }
      #expect(error?.kind == .deviceUnavailable)
      #expect(try file.read() == table)
    }
  }

  @Test(arguments: devicesWithGPUKernels)
  func withoutTimeNothingIsMeasured(device: OpenCL) throws {
    let tuner = try Tuner(device, file: nil, isQuick: true)
    try tuner.run(Self.cases, within: .zero) { _ in Issue.record("measured") }
    #expect(tuner.table.entries.isEmpty)
  }

  /// Launches take the plan and the algorithm of their class from the table: splits and Winograd change the rounding.
  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesWithGPUKernels)
  func laterLaunchesUseTheTable(device: OpenCL) throws {
    var random = Seeded(31)
    let on = Device.openCL(device)
    let a = try Tensor(random.floats(7 * 300), shape: [7, 300], on: on)
    let b = try Tensor(random.floats(300 * 5), shape: [300, 5], on: on)
    let g = Self.geometry
    let x = try Tensor(random.floats(g.imageShape.count), shape: g.imageShape, on: on)
    let w = try Tensor(random.floats(g.weightShape.count), shape: g.weightShape, on: on)
    func results() throws -> [[Float]] {
      [try matmul(a, b).floats(), try conv2d(x, w, padding: 1).floats()]
    }
    func entry(_ splits: Int, _ extent: Int?) -> TuningTable.Entry {
      .init(
        plan: ProductPlan(tile: .smallest, splits: splits), milliseconds: 1, shippedMilliseconds: 2,
        winogradExtent: extent, tried: 1, isQuick: true)
    }
    var table = TuningTable()
    let plain = try TuningTable.$current.withValue(table) { try results() }
    table.entries[.init(.product, ProductShape(rows: 8, columns: 8, depth: 290))] = entry(4, nil)
    table.entries[.init(.convolution, g.productShape)] = entry(1, 4)
    let tuned = try TuningTable.$current.withValue(table) { try results() }
    for (a, b) in zip(plain, tuned) {
      #expect(a != b && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test(arguments: devicesWithGPUKernels)
  func damagedAndForeignFilesAreRefusedByName(device: OpenCL) throws {
    try withTemporaryFolder { folder in
      let file = TuningFile(device.info, folder: folder)!
      #expect(try file.read() == TuningTable())
      var table = TuningTable()
      let entry = TuningTable.Entry(
        plan: ProductPlan(tile: .smallest), milliseconds: 1, shippedMilliseconds: 2, winogradExtent: 4,
        tried: 3,
        isQuick: false)
      table.entries[.init(.product, ProductShape(rows: 8, columns: 8, depth: 8))] = entry
      try file.write(table)
      #expect(try file.read() == table)
      let text = try String(contentsOfFile: file.path, encoding: .utf8)
      func expectRefused(_ changed: String) throws {
        #expect(changed != text)
        try AtomicFile.write(changed, to: file.path)
        let error = #expect(throws: TemperError.self) { try file.read() }
        #expect(error?.file == file.path && error?.kind == .badData)
        // A tuner begins anew.
        #expect(try Tuner(device, file: file, isQuick: true).table == TuningTable())
      }
      try expectRefused(String(text.dropLast(40)))
      try expectRefused(text.replacingOccurrences(of: "temper tuning 1", with: "temper tuning 0"))
      try expectRefused(text.replacingOccurrences(of: device.info.driver, with: "another driver"))
      try expectRefused(text.replacingOccurrences(of: "\"itemM\" : 4", with: "\"itemM\" : 3"))
      try expectRefused(text.replacingOccurrences(of: "\"splits\" : 1", with: "\"splits\" : 0"))
    }
  }
}
