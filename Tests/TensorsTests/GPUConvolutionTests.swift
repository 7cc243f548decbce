import Devices
import Tensors
import TestSupport
import Testing

/// The implicit products and Winograd's algorithm with plans and extents that the rules would not choose.
@Suite struct GPUConvolutionTests {
  static let plans: [ProductPlan] = {
    var flat = ProductTile(16, 32, 8, item: 2, 4)
    (flat.padding, flat.stages) = (0, 1)
    let small = [ProductPlan(tile: .smallest, splits: 3), ProductPlan(tile: flat)]
    var wide = ProductTile(32, 128, 8, item: 4, 8)
    wide.unroll = 2
    return isUnderOclgrind ? small : small + [ProductPlan(tile: wide, splits: 2)]
  }()

  @Test(arguments: devicesWithGPUKernels, plans)
  func randomGeometriesWithEveryPlan(device: OpenCL, plan: ProductPlan) throws {
    var random = Seeded(21)
    for g in GPUConvolutionTests.geometries(&random, isUnderOclgrind ? 2 : 12) {
      try ProductPlan.$forced.withValue(plan) {
        try ConvolutionAlgorithm.$forced.withValue(.direct) { try Self.check(device, g, extra: 0, &random) }
      }
    }
  }

  /// Each tile that the tuner may choose, in one direction; directions change from tile to tile.
  @Test(arguments: devicesWithGPUKernels, GPUProductTests.tiles)
  func everyCandidateConvolves(device: OpenCL, tile: ProductTile) throws {
    let number = GPUProductTests.tiles.firstIndex(of: tile)!
    var random = Seeded(UInt64(100 + number))
    var tile = tile
    tile.unroll = 2  // Short bodies compile several times faster.
    let direction = Convolution.Direction.allCases[number % 3]
    let g = Self.geometries(&random, 1)[0]
    let error = try ProductPlan.$forced.withValue(ProductPlan(tile: tile)) {
      try ConvolutionAlgorithm.$forced.withValue(.direct) {
        try ConvolutionError(g).largest(direction, on: .openCL(device))
      }
    }
    #expect(error < 1e-5, "\(direction) of \(g.testDescription)")
  }

  @Test(arguments: devicesWithGPUKernels, [2, 4])
  func winogradOfBothExtents(device: OpenCL, extent: Int) throws {
    var random = Seeded(22)
    let cases = convolutionCases.filter(\.canUseWinograd)
    for (number, g) in cases.enumerated() {
      // Blocks of a few tiles for every second case.
      let block = number % 2 == 0 ? 1 << 28 : 36 * max(g.c, g.k) * 4 * 5
      try GPUWinograd.$largestBlock.withValue(block) {
        try GPUWinograd.$forcedExtent.withValue(extent) {
          try Self.check(device, g, extra: ConvolutionTests.winogradFactor, &random)
        }
      }
    }
  }

  static func geometries(_ random: inout Seeded, _ count: Int) -> [ConvolutionGeometry] {
    (0..<count).map { _ in
      func any(_ values: ClosedRange<Int>) -> Int { Int.random(in: values, using: &random) }
      let channels = any(1...3) * [1, 2, 4, 5].randomElement(using: &random)!
      return try! ConvolutionGeometry(
        images: [any(1...3), any(5...11), any(5...11), channels],
        weights: [
          any(1...5), any(1...5), channels, any(1...4) * [1, 2, 3, 4].randomElement(using: &random)!,
        ],
        stride: any(1...4), padding: any(0...2))
    }
  }

  /// Forward with bias and ReLU, dx with the mask of a ReLU, and dW, of operands rounded to the device's precision.
  static func check(
    _ device: OpenCL, _ g: ConvolutionGeometry, extra: Double, _ random: inout Seeded
  ) throws {
    let on = Device.openCL(device)
    let (images, weights) = (random.floats(g.imageShape.count), random.floats(g.weightShape.count))
    let (dy, bias) = (random.floats(g.outputShape.count), random.floats(g.k))
    let rounded = device.precision.rounded
    var (y, dx, dw) = ConvolutionTests.references(
      g, images.map(rounded), weights.map(rounded), dy.map(rounded))
    for i in y.values.indices {
      y.add(Double(bias[i % g.k]), to: i)
      y.values[i] = max(0, y.values[i])
    }
    for i in dx.values.indices where images[i] <= 0 { dx.values[i] = 0 }
    let x = try Tensor(images, shape: g.imageShape, on: on)
    let w = try Tensor(weights, shape: g.weightShape, on: on)
    let upstream = try Tensor(dy, shape: g.outputShape, on: on)
    func factor(_ terms: Int) -> Double { MatMulTests.factor(terms) + extra }
    let forward = try conv2d(
      x, w, bias: Tensor(bias, shape: [g.k], on: on), stride: g.stride, padding: g.padding, activation: .relu)
    let gradients = try Convolution.gradients(x, w, upstream, g, mask: x)
    expectClose(try forward.floats(), y, factor: factor(g.r * g.s * g.c), "forward \(g.testDescription)")
    expectClose(
      try gradients.x.floats(), dx, factor: factor(g.r * g.s * g.k),
      "input gradient \(g.testDescription)")
    expectClose(
      try gradients.w.floats(), dw,
      factor: factor(g.n * g.outputHeight * g.outputWidth), "weight gradient \(g.testDescription)")
  }

  @Test func theRuleForWinogradWeighsProductsAgainstTransforms() throws {
    func geometry(_ c: Int, _ h: Int, _ k: Int, stride: Int = 1) throws -> ConvolutionGeometry {
      try ConvolutionGeometry(images: [128, h, h, c], weights: [3, 3, c, k], stride: stride, padding: 1)
    }
    #expect(try geometry(256, 8, 256).paysOnGPU && geometry(128, 16, 128).paysOnGPU)
    #expect(try !geometry(3, 32, 64).paysOnGPU && !geometry(16, 32, 16).paysOnGPU)
    #expect(try !geometry(256, 8, 256, stride: 2).paysOnGPU)
    #expect(try geometry(64, 6, 64).bestWinogradExtent == 4 && geometry(64, 2, 64).bestWinogradExtent == 2)
  }
}
