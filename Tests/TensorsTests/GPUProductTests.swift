import Devices
import Tensors
import TestSupport
import Testing

/// The devices whose kernels are those for GPUs.
let devicesWithGPUKernels: [OpenCL] = devicesUnderTest.compactMap {
  if case .openCL(let device) = $0, device.kernelShape == .gpu { return device }
  return nil
}

extension ProductTile: CustomTestStringConvertible {
  /// Shown by the test runner.
  public var testDescription: String {
    "\(m)x\(n)x\(depth) item \(itemM)x\(itemN) vector \(vector) unroll \(unroll) padding \(padding) stages \(stages)"
  }
}

/// Every tile and fine setting that the tuner may choose computes what the reference in Double does.
@Suite struct GPUProductTests {
  /// The whole set of candidates; a few small ones under Oclgrind.
  static let tiles: [ProductTile] = {
    guard let info = devicesWithGPUKernels.first?.info else { return [] }
    guard isUnderOclgrind else { return ProductTile.candidates(on: info, quick: false) }
    var flat = ProductTile(16, 32, 8, item: 2, 4)
    (flat.padding, flat.vector, flat.stages) = (0, 2, 1)
    return [.smallest, ProductTile(32, 16, 8, item: 4, 2), flat]
  }()

  /// Plans that differ from a tile's own by each refinement and by splits.
  static func plans(_ tile: ProductTile, _ info: OpenCLDeviceInfo) -> [ProductPlan] {
    let plan = ProductPlan(tile: tile)
    return [plan, ProductPlan(tile: tile, splits: 3)]
      + ProductPlan.refinements.map { $0(plan) }.filter { $0.tile.fits(info) }
  }

  /// Extents that vectors divide, as most networks have them.
  static func evenShapes(_ tile: ProductTile) -> [ProductShape] {
    [(tile.m, tile.n, tile.depth), (tile.m + 4, tile.n - 4, 2 * tile.depth + 4), (4, 8, 12)].map(
      ProductShape.init)
  }

  /// Extents of 1, around a tile's own, primes, deep, flat and random ones, all odd, for loads of single floats.
  static func oddShapes(_ tile: ProductTile, _ random: inout Seeded) -> [ProductShape] {
    let fixed = [
      (1, 1, 1), (tile.m + 1, tile.n - 1, 2 * tile.depth + 1), (tile.m - 1, tile.n + 1, tile.depth - 1),
      (1, tile.n + 1, 1),
      (tile.m + 3, 1, 37), (13, 7, 211),
    ]
    let any = (0..<2).map { _ in
      (
        Int.random(in: 0..<tile.m, using: &random) * 2 + 1,
        Int.random(in: 0..<tile.n, using: &random) * 2 + 1,
        Int.random(in: 0...50, using: &random) * 2 + 1
      )
    }
    return (fixed + any).map(ProductShape.init)
  }

  /// Each tile with vectors and with single floats, and one of its variants; the transposes change from tile to tile.
  @Test(arguments: devicesWithGPUKernels, tiles)
  func everyCandidateIsCorrect(device: OpenCL, tile: ProductTile) throws {
    let number = Self.tiles.firstIndex(of: tile)!
    var random = Seeded(UInt64(number))
    let (ta, tb) = (number & 1 == 1, number & 2 == 2)
    // Short bodies compile several times faster; unrolling is one of the variants.
    var tile = tile
    tile.unroll = 2
    for shape in Self.evenShapes(tile) {
      try Self.check(device, ProductPlan(tile: tile), shape, transposeA: ta, transposeB: tb, &random)
    }
    for shape in Self.oddShapes(tile, &random) {
      try Self.check(device, ProductPlan(tile: tile), shape, transposeA: !ta, transposeB: !tb, &random)
    }
    let variant = Self.plans(Self.tiles[number], device.info).dropFirst().randomElement(using: &random)!
    for shape in Self.evenShapes(tile) {
      try Self.check(device, variant, shape, transposeA: tb, transposeB: !ta, &random)
    }
  }

  /// Compares with the product of operands that are rounded as the tile's kernel does.
  static func check(
    _ device: OpenCL, _ plan: ProductPlan, _ shape: ProductShape, transposeA ta: Bool, transposeB tb: Bool,
    _ random: inout Seeded
  ) throws {
    let c = ProductCase(m: shape.rows, n: shape.columns, k: shape.depth)
    let (a, b) = (random.floats(c.m * c.k), random.floats(c.k * c.n))
    let x = try Tensor(a, shape: ta ? [c.k, c.m] : [c.m, c.k], on: .openCL(device))
    let y = try Tensor(b, shape: tb ? [c.n, c.k] : [c.k, c.n], on: .openCL(device))
    let rounded = plan.tile.precision.rounded
    let reference = MatMulTests.reference(a.map(rounded), b.map(rounded), c, ta, tb)
    try ProductPlan.$forced.withValue(plan) {
      expectClose(
        try matmul(x, y, transposeA: ta, transposeB: tb).floats(), reference,
        factor: MatMulTests.factor(c.k),
        "\(c.testDescription) \(ta) \(tb) \(plan.tile.testDescription) splits \(plan.splits)")
    }
  }

  /// Batches, every part of the epilogue, and splits with it.
  @Test(arguments: devicesWithGPUKernels, [1, 3])
  func batchesAndEpilogues(device: OpenCL, splits: Int) throws {
    try Self.checkBatchesAndEpilogues(device, ProductPlan(tile: .smallest, splits: splits))
  }

  static func checkBatchesAndEpilogues(_ device: OpenCL, _ plan: ProductPlan, depth k: Int = 45) throws {
    var random = Seeded(12)
    let on = Device.openCL(device)
    let (batch, m, n) = (3, 17, 20)
    let (a, b) = (random.floats(batch * m * k), random.floats(batch * k * n))
    let (bias, residual, mask) = (
      random.floats(n), random.floats(batch * m * n), random.floats(batch * m * n)
    )
    var expected = Reference(count: batch * m * n)
    let (left, right) = (a.map(plan.tile.precision.rounded), b.map(plan.tile.precision.rounded))
    for layer in 0..<batch {
      let c = ProductCase(m: m, n: n, k: k)
      let part = MatMulTests.reference(
        Array(left[layer * m * k..<(layer + 1) * m * k]), Array(right[layer * k * n..<(layer + 1) * k * n]),
        c,
        false,
        false)
      for i in 0..<m * n {
        let at = layer * m * n + i
        let sum = part.values[i] + Double(bias[i % n]) + Double(residual[at])
        expected.values[at] = mask[at] > 0 ? max(0, sum) : 0
        expected.magnitudes[at] = part.magnitudes[i] + 2
      }
    }
    let x = try Tensor(a, shape: [batch * m, k], on: on)
    let y = try Tensor(b, shape: [batch * k, n], on: on)
    let z = try Tensor(uninitialized: [batch * m, n], on: on)
    let end = ProductEpilogue(
      bias: try Tensor(bias, shape: [n], on: on).buffer,
      residual: try Tensor(residual, shape: z.shape, on: on).buffer,
      mask: try Tensor(mask, shape: z.shape, on: on).buffer, relu: true)
    try ProductPlan.$forced.withValue(plan) {
      try device.multiplyGPU(
        StridedMatrix(x.buffer, rowStride: k, columnStride: 1, batchStride: m * k),
        StridedMatrix(y.buffer, rowStride: n, columnStride: 1, batchStride: k * n),
        ProductShape(rows: m, columns: n, depth: k, batch: batch), end, into: z.buffer)
    }
    expectClose(try z.floats(), expected, factor: MatMulTests.factor(k))
  }
}

/// Which tile and how many parts a product gets; pure functions of extents and compute units.
@Suite struct ProductPlanTests {
  let tiles = ProductTile.shipped(for: .nvidia)

  @Test func largeProductsGetTheLargestTile() {
    let plan = ProductTile.plan(
      ProductShape(rows: 8192, columns: 8192, depth: 2048), among: tiles, units: 100)
    #expect(plan == ProductPlan(tile: tiles[0]))
  }

  @Test func smallBatchesKeepTheDeviceBusy() {
    for shape in [
      ProductShape(rows: 128, columns: 512, depth: 4608),
      ProductShape(rows: 576, columns: 64, depth: 131_072),
      ProductShape(rows: 128, columns: 256, depth: 784),
    ] {
      let plan = ProductTile.plan(shape, among: tiles, units: 100)
      let groups =
        ((shape.rows + plan.tile.m - 1) / plan.tile.m) * ((shape.columns + plan.tile.n - 1) / plan.tile.n)
      #expect(groups * plan.splits >= 50, "\(shape): \(plan)")
      #expect(plan.parts(shape.depth).count == plan.splits)
    }
  }

  @Test func narrowProductsGetNarrowTiles() {
    let plan = ProductTile.plan(ProductShape(rows: 1 << 20, columns: 16, depth: 27), among: tiles, units: 100)
    #expect(plan.tile.n == 32)
    #expect(plan.splits == 1)
  }

  @Test func everyShippedTileIsValidAndWithinItsResources() {
    for vendor in ProductTile.Vendor.allCases {
      for tile in ProductTile.shipped(for: vendor) {
        #expect(tile.isValid, "\(vendor) \(tile.testDescription)")
        #expect(tile.items <= 256 && tile.registers <= 192, "\(vendor) \(tile.testDescription)")
        #expect(tile.localBytes <= (vendor == .arm ? 4608 : 34_816), "\(vendor) \(tile.testDescription)")
      }
    }
    #expect(ProductTile.smallest.isValid && ProductTile.smallest.localBytes <= 2048)
  }

  @Test func invalidTilesAreRefused() {
    var tile = ProductTile(64, 64, 16, item: 4, 4)
    #expect(tile.isValid)
    tile.unroll = 32
    #expect(!tile.isValid)
    #expect(!ProductTile(64, 64, 16, item: 3, 4).isValid)
    #expect(!ProductTile(64, 64, 0, item: 4, 4).isValid)
    #expect(!ProductTile(128, 128, 16, item: 16, 16).isValid)
  }
}
