import Devices
import FileFormats
import Tensors
import TestSupport
import Testing

extension OpenCL: CustomTestStringConvertible {
  /// Shown by the test runner.
  public var testDescription: String {
    "\(Device.openCL(self))\(matrixUnits == .emulated ? " emulated" : "")"
  }
}

/// Products and convolutions of rounded operands: the kernels for tensor cores, emulated on every OpenCL device, and as
/// they are on devices that have them.
@Suite struct MatrixUnitTests {
  static let precisions: [Precision] = [.tf32, .bf16]

  static let devices: [OpenCL] = OpenCLDeviceInfo.all.flatMap { info in
    precisions.flatMap { precision in
      [true, false].compactMap { isEmulated -> OpenCL? in
        let device = try! OpenCL(
          info, kernelShape: .gpu, cache: ProgramCache.standard, emulatesMatrixUnits: isEmulated)
        guard device.matrixUnits != nil else { return nil }
        try! device.setPrecision(precision)
        device.keepsFreeMemory = !isUnderOclgrind
        return device
      }
    }
  }

  /// Tiles of one warp and of several, of other depths and stages; and all shipped ones, except under Oclgrind.
  static func tiles(_ device: OpenCL) -> [ProductTile] {
    let precision = device.precision
    let (one, four) = (
      ProductTile(16, 16, 16, item: 2, 4, precision), ProductTile(32, 32, 16, item: 2, 4, precision)
    )
    let small = [one, four.with(stages: 1), one.with(stages: 4), four.with(stages: 3)]
    guard !isUnderOclgrind else { return small }
    var narrow = ProductTile(64, 32, 64, item: 8, 4, precision)
    narrow.vector = 2
    return small + [narrow, narrow.with(stages: 3)]
      + [false, true].flatMap { ProductTile.shipped(for: .nvidia, precision, copies: $0) }
  }

  @Test(arguments: devices)
  func productsOfEveryTile(device: OpenCL) throws {
    var random = Seeded(41)
    for (number, tile) in Self.tiles(device).enumerated() {
      #expect(tile.isValid)
      let (ta, tb) = (number & 1 == 1, number & 2 == 2)
      let (m, n, depth) = (min(64, tile.m), min(64, tile.n), tile.depth)
      // Of the shipped tiles, whose programs take long to compile, every second one with odd extents.
      let (isEven, isOdd) = (number < 6 || number % 2 == 0, number < 6 || number % 2 == 1)
      // Copies of 8, 16 and 4 bytes where they are of bfloat16, of more slices than there are places.
      let copied = tile.isAsynchronous ? [(m, n + 8, 6 * depth + 8), (m + 2, n - 2, 5 * depth - 2)] : []
      let even = (isEven ? [(m, n, 2 * depth + 4), (m + 4, n - 4, depth)] : []) + copied
      let odd = isOdd ? [(1, 1, 1), (m + 1, n - 1, 2 * depth + 1), (13, 7, 51)] : []
      for shape in even.map(ProductShape.init) {
        for splits in [1, 2] {
          try GPUProductTests.check(
            device, ProductPlan(tile: tile, splits: splits), shape, transposeA: ta, transposeB: tb, &random)
        }
      }
      for shape in odd.map(ProductShape.init) {
        try GPUProductTests.check(
          device, ProductPlan(tile: tile), shape, transposeA: !ta, transposeB: !tb, &random)
      }
    }
  }

  /// Every way to read the operands, with vectors and without, and with as many slices as there are ways.
  @Test(arguments: devices, 2...(isUnderOclgrind ? 3 : 4))
  func productsOfAllTransposes(device: OpenCL, stages: Int) throws {
    var random = Seeded(42)
    let plan = ProductPlan(tile: ProductTile(32, 32, 16, item: 2, 4, device.precision).with(stages: stages))
    let shapes = stages == 2 ? [(36, 40, 44), (37, 30, 51), (6, 34, 70)] : [(36, 44, 92), (6, 34, 70)]
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
      for shape in shapes.map(ProductShape.init) {
        try GPUProductTests.check(device, plan, shape, transposeA: ta, transposeB: tb, &random)
      }
    }
  }

  @Test(arguments: devices, [(2, 1), (2, 3), (3, 1), (3, 3), (4, 2)])
  func batchesAndEpilogues(device: OpenCL, setting: (stages: Int, splits: Int)) throws {
    let tile = ProductTile(32, 32, 16, item: 2, 4, device.precision).with(stages: setting.stages)
    try GPUProductTests.checkBatchesAndEpilogues(
      device, ProductPlan(tile: tile, splits: setting.splits), depth: tile.isAsynchronous ? 148 : 45)
  }

  /// Where vectors have two bytes, as none of odd extents of bfloat16 has more, slices pass through registers: the program is
  /// that of two stages.
  @Test(arguments: devices)
  func narrowVectorsAreNotCopied(device: OpenCL) throws {
    let own = try Self.open(device, copies: true)
    var random = Seeded(47)
    let shape = ProductShape(rows: 7, columns: 9, depth: 33)
    let tile = ProductTile(16, 16, 16, item: 2, 4, device.precision)
    for stages in [3, 2] {
      let plan = ProductPlan(tile: tile.with(stages: stages))
      try GPUProductTests.check(own, plan, shape, transposeA: false, transposeB: true, &random)
    }
    let products = own.programUse.built - (device.precision == .bf16 ? 1 : 0)
    #expect(products == (device.precision == .bf16 ? 1 : 2))
  }

  /// A device of its own like another one, nothing of which is kept, with asynchronous copies or without.
  static func open(_ device: OpenCL, copies: Bool, _ fault: FaultInjection.Fault? = nil) throws -> OpenCL {
    let own = try OpenCL(
      device.info, kernelShape: .gpu, cache: nil, faults: fault.map { FaultInjection($0) },
      emulatesMatrixUnits: device.matrixUnits == .emulated)
    try own.setPrecision(device.precision)
    if !copies { try own.disable(OpenCL.asynchronousVariant) }
    own.keepsFreeMemory = device.keepsFreeMemory
    return own
  }

  /// All directions with the tiles that the rule chooses; bias, ReLU and a ReLU's mask.
  @Test(arguments: devices, [false, true])
  func convolutions(device: OpenCL, copies: Bool) throws {
    let own = try Self.open(device, copies: copies)
    var random = Seeded(43)
    for g in convolutionCases.prefix(isUnderOclgrind ? 6 : 12) {
      try GPUConvolutionTests.check(own, g, extra: 0, &random)
    }
  }

  @Test(arguments: devices, 2...(isUnderOclgrind ? 3 : 4))
  func convolutionsInParts(device: OpenCL, stages: Int) throws {
    var random = Seeded(44)
    let tile = ProductTile(32, 16, 16, item: 2, 4, device.precision).with(stages: stages)
    var geometries = GPUConvolutionTests.geometries(&random, isUnderOclgrind ? 2 : 8)
    // Vectors of all widths, strides, padding, and more slices than there are places.
    geometries += try [(2, 6, 1), (4, 12, 2), (8, 16, 1)].prefix(isUnderOclgrind ? 2 : 3).map {
      c, k, stride in
      try ConvolutionGeometry(
        images: [2, 9, 7, c], weights: [3, 4, c, k], stride: stride, padding: 1)
    }
    for (number, g) in geometries.enumerated() {
      try ProductPlan.$forced.withValue(ProductPlan(tile: tile, splits: 3 - number % 3)) {
        try GPUConvolutionTests.check(device, g, extra: 0, &random)
      }
    }
  }

  /// The nearest number with so many fewer bits of fraction, by distances in Double.
  static func nearest(_ x: Float, _ precision: Precision) -> Float {
    guard x.isFinite else { return x }
    let step = UInt32(1) << UInt32(32 - precision.bits)
    let below = Float(bitPattern: x.bitPattern / step * step)
    let next = Float(bitPattern: below.bitPattern + step)
    // Beyond the largest number the neighbour counts as 2^128, as IEEE 754 has it.
    let above = next.isFinite ? Double(next) : 0x1p128 * (x < 0 ? -1 : 1)
    let (down, up) = (abs(Double(x) - Double(below)), abs(above - Double(x)))
    if down != up { return down < up ? below : next }
    return precision == .tf32 || below.bitPattern / step & 1 == 1 ? next : below
  }

  /// Ties, subnormal numbers, the largest ones, infinities and NaN, as rows of A and as columns of B, in all ways to read
  /// them; times 1, which changes no bit but the sign of zero.
  @Test(arguments: devices, [2, 3])
  func roundingIsExact(device: OpenCL, stages: Int) throws {
    var random = Seeded(45)
    var values: [Float] = [
      0, -0.0, 1, -1, .infinity, -.infinity, .nan, -.nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
      .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, 0x1p-133, 0x1.8p-133, 0x1p-136,
    ]
    for precision in Self.precisions {
      let half = UInt32(1) << UInt32(31 - precision.bits)
      for base: UInt32 in [0x3F80_0000, 0x3F80_0000 + 2 * half, 0xC2AB_0000, 0x0040_0000, 0x7F7F_0000] {
        values += [half - 1, half, half + 1].map { Float(bitPattern: base + $0) }
      }
    }
    values += (0..<512).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    let count = values.count & ~3
    values.removeLast(values.count - count)
    let one = try Tensor([1] as [Float], shape: [1, 1], on: .openCL(device))
    let (column, row) = try (
      Tensor(values, shape: [count, 1], on: .openCL(device)),
      Tensor(values, shape: [1, count], on: .openCL(device))
    )
    let tile = ProductTile(32, 32, 16, item: 2, 4, device.precision).with(stages: stages)
    let results = try ProductPlan.$forced.withValue(ProductPlan(tile: tile)) {
      try [
        matmul(column, one), matmul(row, one, transposeA: true), matmul(one, row),
        matmul(one, column, transposeB: true),
      ]
    }
    for result in results {
      for (x, y) in zip(values, try result.floats()) {
        let expected = Self.nearest(x, device.precision)
        #expect(x.isNaN ? y.isNaN : y == expected, "\(x) became \(y), not \(expected)")
        #expect(x.isNaN || device.precision.rounded(x).bitPattern == expected.bitPattern, "\(x) on the host")
      }
    }
  }

  /// Winograd's algorithm stays off, whoever asks for it.
  @Test(arguments: devices)
  func convolutionsAreDirect(device: OpenCL) throws {
    var random = Seeded(46)
    let g = try ConvolutionGeometry(images: [1, 6, 6, 8], weights: [3, 3, 8, 8], stride: 1, padding: 1)
    let (x, w) = try (
      Tensor(random.floats(g.imageShape.count), shape: g.imageShape, on: .openCL(device)),
      Tensor(random.floats(g.weightShape.count), shape: g.weightShape, on: .openCL(device))
    )
    let results = try [ConvolutionAlgorithm.direct, .winograd].map {
      try ConvolutionAlgorithm.$forced.withValue($0) { try conv2d(x, w, padding: 1).floats() }
    }
    #expect(results[0] == results[1])
  }

  @Test(.enabled(if: !isUnderOclgrind, "compiles large tiles"), arguments: devices)
  func checksPassAndFailuresGiveFloat32Back(device: OpenCL) throws {
    let own = try Self.open(device, copies: true)
    let variants = [OpenCL.matrixVariant, OpenCL.asynchronousVariant]
    let checks = KernelCheck.all.filter { variants.contains($0.variant) }
    #expect(checks.count == 8)
    try own.checkKernels(checks) { Issue.record("\($0)") }
    #expect(variants.allSatisfy { own.isEnabled($0) })
    #expect(own.precision == device.precision)
    var warnings: [String] = []
    try own.checkKernels([KernelCheck("never right", variant: OpenCL.matrixVariant) { _ in false }]) {
      warnings.append($0)
    }
    #expect(warnings.count == 1 && own.precision == .fp32 && own.kernelShape == .gpu)
    #expect(throws: (any Error).self) { try own.setPrecision(device.precision) }
    let third = try Tensor([1.0 / 3] as [Float], shape: [1, 1], on: .openCL(own))
    #expect(try matmul(third, third).floats() == [Float(1.0 / 3) * Float(1.0 / 3)])
  }

  /// Copies that compute something else, or that do not compile, are given up alone: the rest of matrix units stays in use.
  @Test(
    .enabled(if: !isUnderOclgrind, "compiles large tiles"), arguments: devices,
    [.wrong(kernel: "matmul_gpu", macro: "STAGES=3"), .build(family: "convolution_gpu", macro: "STAGES=3")]
      as [FaultInjection.Fault])
  func failingCopiesAreGivenUpAlone(device: OpenCL, fault: FaultInjection.Fault) throws {
    let own = try Self.open(device, copies: true, fault)
    var warnings: [String] = []
    try own.checkKernels { warnings.append($0) }
    #expect(
      warnings.count == 1 && warnings[0].contains("\(OpenCL.asynchronousVariant) kernels"), "\(warnings)")
    #expect(own.precision == device.precision && own.kernelShape == .gpu)
    #expect(own.isEnabled(OpenCL.matrixVariant) && !own.isEnabled(OpenCL.asynchronousVariant))
    warnings = []
    try own.checkKernels { warnings.append($0) }
    #expect(warnings.isEmpty, "given up for good: \(warnings)")
    let shape = ProductShape(rows: 40, columns: 24, depth: 72)
    #expect(!own.shippedPlan(shape).tile.isAsynchronous)
    // Nor does a plan from elsewhere bring them back.
    var random = Seeded(48)
    let plan = ProductPlan(tile: ProductTile(32, 32, 16, item: 2, 4, device.precision).with(stages: 3))
    try GPUProductTests.check(own, plan, shape, transposeA: false, transposeB: false, &random)
  }

  @Test(.enabled(if: !isUnderOclgrind, "takes times"), arguments: devices)
  func theTunerKeepsThePrecision(device: OpenCL) throws {
    let tiles = [
      ProductTile(32, 32, 16, item: 2, 4, device.precision),
      ProductTile(16, 16, 16, item: 2, 4, device.precision).with(stages: 3),
    ]
    let tuner = try Tuner(device, file: nil, isQuick: true, candidates: tiles)
    let shape = ProductShape(rows: 33, columns: 20, depth: 48)
    try tuner.run([.product(shape)], within: .seconds(600)) {
      #expect($0.measured > 0 && $0.failed == 0 && $0.wrong == 0)
    }
    #expect(tuner.table.entries.values.allSatisfy { $0.plan.tile.precision == device.precision })
    let candidates = [true, false].map {
      ProductTile.candidates(on: device.info, device.precision, quick: false, copies: $0)
    }
    #expect(candidates.allSatisfy { $0.count > 20 } && candidates[0].contains { $0.isAsynchronous })
    #expect(candidates[1].allSatisfy { !$0.isAsynchronous })
  }

  @Test(arguments: precisions, [false, true])
  func shippedTilesFitTensorCores(precision: Precision, copies: Bool) {
    let tiles = ProductTile.shipped(for: .nvidia, precision, copies: copies)
    for tile in tiles {
      #expect(tile.isValid && tile.precision == precision, "\(tile.testDescription)")
      #expect(tile.isAsynchronous == copies, "\(tile.testDescription)")
      #expect(
        tile.items <= 256 && tile.localBytes <= 49_152 && tile.registers <= 224, "\(tile.testDescription)")
    }
    func plan(_ m: Int, _ n: Int, _ k: Int) -> ProductPlan {
      ProductTile.plan(ProductShape(rows: m, columns: n, depth: k), among: tiles, units: 132)
    }
    #expect(plan(4096, 4096, 4096) == ProductPlan(tile: tiles[0]))
    #expect(plan(1 << 17, 64, 576).tile.n == 64)
    #expect(plan(1 << 17, 32, 27).tile.n == 32)
    #expect(plan(576, 64, 1 << 17).splits > 10)
    #expect(!tiles[1].with(stages: 5).isValid && !ProductTile(64, 64, 16, item: 4, 4).with(stages: 3).isValid)
    // A warp's tile of fewer than 16 x 16 values, slices of less than one multiplication, and space between rows.
    #expect(!ProductTile(32, 32, 16, item: 1, 4, precision).isValid)
    #expect(!ProductTile(32, 32, 16, item: 4, 2, precision).isValid)
    #expect(!ProductTile(32, 32, 4, item: 4, 4, precision).isValid)
    var spaced = tiles[0]
    spaced.padding = 4
    #expect(!spaced.isValid)
  }

  /// Without such units nothing but float32 is on offer.
  @Test(arguments: OpenCLDeviceInfo.all.map { try! OpenCL($0, kernelShape: .gpu) })
  func otherDevicesRefuse(device: OpenCL) throws {
    guard device.matrixUnits == nil else { return }
    for precision in Self.precisions {
      let error = #expect(throws: TemperError.self) { try device.setPrecision(precision) }
      #expect(error?.exitCode == 64 && device.precision == .fp32)
    }
  }
}
