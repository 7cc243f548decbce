import Devices
import Tensors
import TestSupport
import Testing

extension ConvolutionGeometry: CustomTestStringConvertible {
  /// Shown by the test runner.
  public var testDescription: String {
    "\(n)x\(h)x\(w)x\(c) * \(r)x\(s)x\(k) stride \(stride) padding \(padding)"
  }
}

/// Geometries around every tile's extent, with all strides and paddings.
let convolutionCases: [ConvolutionGeometry] = {
  func geometry(
    _ n: Int, _ h: Int, _ w: Int, _ c: Int, _ k: Int, _ r: Int, _ s: Int, _ stride: Int, _ padding: Int
  ) -> ConvolutionGeometry {
    try! ConvolutionGeometry(images: [n, h, w, c], weights: [r, s, c, k], stride: stride, padding: padding)
  }
  let small = [
    geometry(1, 1, 1, 1, 1, 1, 1, 1, 0), geometry(2, 3, 3, 1, 2, 3, 3, 1, 0),
    geometry(1, 5, 7, 3, 5, 3, 3, 1, 1),
    geometry(2, 6, 5, 2, 3, 2, 4, 1, 0), geometry(3, 9, 8, 3, 31, 3, 3, 2, 1),
    geometry(1, 8, 8, 4, 8, 1, 1, 1, 0),
    geometry(2, 7, 7, 2, 33, 5, 5, 2, 2), geometry(1, 9, 9, 5, 7, 1, 1, 2, 0),
    geometry(1, 11, 10, 3, 4, 7, 7, 3, 3),
    geometry(2, 6, 6, 16, 17, 3, 3, 1, 1), geometry(1, 5, 6, 16, 17, 3, 3, 2, 1),
    geometry(1, 4, 15, 32, 32, 3, 3, 1, 0),
    geometry(2, 5, 8, 1, 6, 3, 3, 1, 1), geometry(1, 5, 6, 7, 9, 3, 3, 1, 1),
    // First layers with whole panels of outputs.
    geometry(1, 4, 6, 1, 32, 3, 3, 1, 0), geometry(2, 4, 6, 3, 32, 3, 3, 1, 1),
    // Rows of one channel that are summed in whole vectors, of outputs and of pixels.
    geometry(1, 3, 16, 1, 32, 3, 3, 1, 0), geometry(2, 5, 19, 1, 64, 3, 3, 1, 1),
    geometry(2, 1, 17, 1, 32, 3, 3, 1, 1),
  ]
  let large = [
    geometry(17, 12, 12, 32, 64, 3, 3, 1, 0), geometry(5, 28, 28, 1, 32, 3, 3, 1, 0),
    geometry(4, 16, 16, 33, 47, 3, 3, 1, 1), geometry(3, 16, 16, 64, 32, 3, 3, 2, 1),
    geometry(3, 13, 29, 20, 24, 5, 5, 1, 2), geometry(2, 17, 16, 33, 20, 3, 3, 2, 1),
    geometry(2, 15, 14, 32, 16, 1, 1, 2, 0), geometry(2, 14, 13, 18, 9, 5, 4, 3, 2),
    geometry(1, 9, 12, 16, 16, 2, 2, 3, 0), geometry(1, 19, 19, 16, 8, 7, 7, 2, 3),
    geometry(1, 4, 4, 96, 160, 3, 3, 1, 1), geometry(9, 7, 6, 160, 130, 3, 3, 1, 2),
    geometry(37, 6, 5, 20, 280, 1, 1, 1, 0), geometry(19, 8, 6, 16, 24, 3, 3, 2, 1),
    geometry(17, 12, 11, 3, 64, 3, 3, 1, 1), geometry(18, 13, 12, 3, 32, 3, 3, 2, 1),
    geometry(17, 9, 40, 1, 64, 3, 3, 2, 1), geometry(3, 11, 35, 1, 96, 3, 3, 1, 1),
    geometry(2, 6, 20, 3, 32, 3, 3, 1, 2),
    // Strips of tiles that end within the image and beyond it, panels that are not whole.
    geometry(2, 7, 43, 3, 48, 3, 3, 1, 0), geometry(18, 9, 66, 3, 16, 3, 3, 1, 2),
    geometry(1, 32, 32, 3, 64, 3, 3, 1, 1), geometry(1, 10, 10, 3, 32, 3, 3, 1, 0),
    // Tiles of stride 2 that end within the image and beyond it, many of them, channels that are not whole panels.
    geometry(3, 8, 8, 32, 64, 3, 3, 2, 1), geometry(2, 7, 10, 17, 35, 3, 3, 2, 2),
    geometry(70, 16, 15, 16, 32, 3, 3, 2, 1), geometry(2, 18, 11, 64, 272, 3, 3, 2, 1),
    // Rows that no local memory holds: of images, and of the gradient.
    geometry(1, 3, 300, 400, 8, 3, 3, 1, 0), geometry(1, 3, 300, 8, 400, 3, 3, 1, 0),
  ]
  return isUnderOclgrind ? small : small + large
}()

@Suite struct ConvolutionTests {
  /// Calls `body` with the indices of every product that a convolution adds: image, weight, output.
  static func forEachProduct(_ g: ConvolutionGeometry, _ body: (Int, Int, Int) -> Void) {
    for n in 0..<g.n {
      for y in 0..<g.outputHeight {
        for x in 0..<g.outputWidth {
          for r in 0..<g.r {
            for s in 0..<g.s {
              let row = y * g.stride + r - g.padding
              let column = x * g.stride + s - g.padding
              guard (0..<g.h).contains(row), (0..<g.w).contains(column) else { continue }
              for c in 0..<g.c {
                let image = ((n * g.h + row) * g.w + column) * g.c + c
                let weight = ((r * g.s + s) * g.c + c) * g.k
                let output = ((n * g.outputHeight + y) * g.outputWidth + x) * g.k
                for k in 0..<g.k { body(image, weight + k, output + k) }
              }
            }
          }
        }
      }
    }
  }

  /// The convolution and both gradients in float64.
  static func references(
    _ g: ConvolutionGeometry, _ images: [Float], _ weights: [Float], _ dy: [Float]
  ) -> (y: Reference, dx: Reference, dw: Reference) {
    var y = Reference(count: dy.count)
    var dx = Reference(count: images.count)
    var dw = Reference(count: weights.count)
    forEachProduct(g) { image, weight, output in
      y.add(Double(images[image]) * Double(weights[weight]), to: output)
      dx.add(Double(dy[output]) * Double(weights[weight]), to: image)
      dw.add(Double(dy[output]) * Double(images[image]), to: weight)
    }
    return (y, dx, dw)
  }

  /// One operation gives the bits of the two that it replaces, in both passes (of the bias in another order);
  /// pooled extents even and odd.
  @Test(.enabled(if: !isUnderOclgrind, "two operations that others test"), arguments: devicesUnderTest)
  func pooledConvolutionIsConvolutionAndPool(device: Device) throws {
    var random = Seeded(6)
    for (n, h, w, c, k, padding) in [
      (2, 6, 7, 16, 32, 0), (3, 13, 12, 20, 64, 1), (1, 5, 9, 32, 33, 0), (2, 4, 5, 3, 32, 0),
    ] {
      let x = try Tensor(random.floats(n * h * w * c), shape: [n, h, w, c], on: device)
      let filters = try Tensor(random.floats(9 * c * k), shape: [3, 3, c, k], on: device)
      let shift = try Tensor(random.floats(k), shape: [k], on: device)
      func gradients(_ pooled: (Tensor, Tensor, Tensor) throws -> Tensor) throws -> [[Float]] {
        let places = Places([x, filters, shift])
        var y: [Float] = []
        let (_, gradients) = try valueWithGradients(at: places.all) {
          let result = try pooled(places.all[0].value, places.all[1].value, places.all[2].value)
          y = try result.floats()
          return try meanSquaredError(result, Tensor(repeating: 0.25, shape: result.shape, on: device))
        }
        return try [y] + gradients.map { try $0.floats() }
      }
      let apart = try gradients { x, w, bias in
        try maxPool2d(conv2d(x, w, bias: bias, padding: padding, activation: .relu), size: 2)
      }
      let fused = try gradients { try conv2dMaxPooled($0, $1, bias: $2, padding: padding) }
      for (a, b) in zip(fused[3], apart[3]) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "db") }
      for (part, (a, b)) in zip(["y", "dx", "dw"], zip(fused, apart)) {
        let differing = zip(a, b).filter { $0 != $1 }.count
        #expect(a.count == b.count && differing == 0, "\(part): \(differing) of \(a.count)")
      }
      #expect(fused.allSatisfy { Set($0).count > 5 })
    }
  }

  /// Results that are too large for the caches take another path to memory, whole tiles at least.
  @Test(
    .enabled(if: !isUnderOclgrind, "too many pixels for the simulator"), arguments: devicesUnderTest,
    [(channels: 3, stride: 1), (16, 1), (16, 2)])
  func largeResultsAreThoseOfTheirParts(device: Device, layer: (channels: Int, stride: Int)) throws {
    var random = Seeded(5)
    let (images, c, extent) = (20, layer.channels, 58 * layer.stride)
    let size = extent * extent * c
    let x = random.floats(images * size)
    let w = try Tensor(random.floats(9 * c * 64), shape: [3, 3, c, 64], on: device)
    let bias = try Tensor(random.floats(64), shape: [64], on: device)
    func convolved(_ range: Range<Int>) throws -> [Float] {
      let values = Array(x[range.lowerBound * size..<range.upperBound * size])
      let part = try Tensor(values, shape: [range.count, extent, extent, c], on: device)
      return try conv2d(part, w, bias: bias, stride: layer.stride, padding: 1, activation: .relu).floats()
    }
    #expect(try convolved(0..<images) == convolved(0..<11) + convolved(11..<images))
  }

  @Test(arguments: devicesUnderTest, convolutionCases)
  func forwardAndBothGradients(device: Device, g: ConvolutionGeometry) throws {
    var random = Seeded(3)
    let images = random.floats(g.imageShape.count)
    let weights = random.floats(g.weightShape.count)
    let dy = random.floats(g.outputShape.count)
    let (y, dx, dw) = Self.references(g, images, weights, dy)
    for (algorithm, largest) in Self.algorithms(g) {
      try ConvolutionAlgorithm.$forced.withValue(algorithm) {
        try WinogradSchedule.$largestFilterPerTask.withValue(largest) {
          let x = try Tensor(images, shape: g.imageShape, on: device)
          let w = try Tensor(weights, shape: g.weightShape, on: device)
          let upstream = try Tensor(dy, shape: g.outputShape, on: device)
          func factor(_ terms: Int) -> Double {
            MatMulTests.factor(terms) + (algorithm == .winograd ? Self.winogradFactor : 0)
          }
          let result = try conv2d(x, w, stride: g.stride, padding: g.padding)
          #expect(result.shape == g.outputShape)
          expectClose(try result.floats(), y, factor: factor(g.r * g.s * g.c), "forward \(algorithm)")
          let gradients = try Convolution.gradients(x, w, upstream, g)
          expectClose(
            try gradients.x.floats(), dx, factor: factor(g.r * g.s * g.k), "input gradient \(algorithm)")
          expectClose(
            try gradients.w.floats(), dw, factor: factor(g.n * g.outputHeight * g.outputWidth),
            "weight gradient \(algorithm)")
        }
      }
    }
  }

  /// Where x is the output of a ReLU its gradient is the same, and 0 where x is not positive.
  @Test(arguments: devicesUnderTest, convolutionCases.filter { $0.n <= 2 && $0.w < 100 })
  func maskedInputGradients(device: Device, g: ConvolutionGeometry) throws {
    var random = Seeded(4)
    let images = random.floats(g.imageShape.count)
    let x = try Tensor(images, shape: g.imageShape, on: device)
    let w = try Tensor(random.floats(g.weightShape.count), shape: g.weightShape, on: device)
    let dy = try Tensor(random.floats(g.outputShape.count), shape: g.outputShape, on: device)
    let whole = try Convolution.gradients(x, w, dy, g).x.floats()
    let masked = try Convolution.gradients(x, w, dy, g, mask: x).x.floats()
    #expect(masked == zip(whole, images).map { $1 > 0 ? $0 : 0 })
  }

  /// First layers take kernels of their own where vectors are of 16 floats: here whatever the native width is.
  @Test(.enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: first layers: no OpenCL device"))
  func firstLayersWithWideVectors() throws {
    let device = try OpenCL(OpenCLDeviceInfo.all[0], kernelShape: .cpu, vectorWidth: 16)
    device.keepsFreeMemory = !isUnderOclgrind
    let cases = convolutionCases.filter {
      $0.r == 3 && $0.s == 3 && $0.stride == 1 && [1, 3].contains($0.c) && $0.k % 16 == 0
    }
    #expect(!cases.isEmpty)
    for g in cases { try forwardAndBothGradients(device: .openCL(device), g: g) }
  }

  /// What Winograd's transforms add: their coefficients amplify rounding, and the error of a value comes from its
  /// whole tile, of which its own products can be a small part. The largest excess measured here is 76, at a corner that sees three
  /// products.
  static let winogradFactor = 96.0

  /// The algorithms that apply, Winograd with both of its schedules.
  static func algorithms(_ g: ConvolutionGeometry) -> [(ConvolutionAlgorithm, largestFilterPerTask: Int)] {
    let usual = WinogradSchedule.largestFilterPerTask
    let isWinograd = g.r == 3 && g.s == 3 && g.stride <= 2
    return isWinograd ? [(.direct, usual), (.winograd, usual), (.winograd, 0)] : [(.direct, usual)]
  }

  /// Without being forced, shapes of real networks run Winograd: its results differ from direct ones.
  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesUnderTest.filter { $0.description.contains("cpu") })
  func theRuleChoosesWinograd(device: Device) throws {
    #expect(try Self.runsWinograd(channels: 32, on: device))
    #expect(try Self.runsWinograd(channels: 32, stride: 2, on: device))
    if case .cpu(let cpu) = device {
      #expect(try Self.runsWinograd(channels: 3, on: device) == (cpu.instructionSet == .avx512))
    }
    #expect(try !Self.runsWinograd(channels: 4, on: device))
  }

  private static func runsWinograd(channels c: Int, stride: Int = 1, on device: Device) throws -> Bool {
    var random = Seeded(4)
    let x = try Tensor(random.floats(2 * 24 * 24 * c), shape: [2, 24, 24, c], on: device)
    let w = try Tensor(random.floats(9 * c * 32), shape: [3, 3, c, 32], on: device)
    let direct = try ConvolutionAlgorithm.$forced.withValue(.direct) {
      try conv2d(x, w, stride: stride, padding: 1).floats()
    }
    let chosen = try ConvolutionAlgorithm.$forced.withValue(nil) {
      try conv2d(x, w, stride: stride, padding: 1).floats()
    }
    #expect(zip(direct, chosen).allSatisfy { abs($0 - $1) < 1e-4 })
    return direct != chosen
  }
}
