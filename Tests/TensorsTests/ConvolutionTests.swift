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
    geometry(2, 6, 6, 16, 17, 3, 3, 1, 1), geometry(1, 4, 15, 32, 32, 3, 3, 1, 0),
  ]
  let large = [
    geometry(17, 12, 12, 32, 64, 3, 3, 1, 0), geometry(5, 28, 28, 1, 32, 3, 3, 1, 0),
    geometry(4, 16, 16, 33, 47, 3, 3, 1, 1), geometry(3, 16, 16, 64, 32, 3, 3, 2, 1),
    geometry(3, 13, 29, 20, 24, 5, 5, 1, 2),
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

  @Test(arguments: devicesUnderTest, convolutionCases)
  func forwardAndBothGradients(device: Device, g: ConvolutionGeometry) throws {
    var random = Seeded(3)
    let images = random.floats(g.imageShape.count)
    let weights = random.floats(g.weightShape.count)
    let dy = random.floats(g.outputShape.count)
    var y = Reference(count: dy.count)
    var dx = Reference(count: images.count)
    var dw = Reference(count: weights.count)
    Self.forEachProduct(g) { image, weight, output in
      y.add(Double(images[image]) * Double(weights[weight]), to: output)
      dx.add(Double(dy[output]) * Double(weights[weight]), to: image)
      dw.add(Double(dy[output]) * Double(images[image]), to: weight)
    }
    let x = try Tensor(images, shape: g.imageShape, on: device)
    let w = try Tensor(weights, shape: g.weightShape, on: device)
    let upstream = try Tensor(dy, shape: g.outputShape, on: device)
    let factor = { (terms: Int) in MatMulTests.factor(terms) }
    let result = try conv2d(x, w, stride: g.stride, padding: g.padding)
    #expect(result.shape == g.outputShape)
    expectClose(try result.floats(), y, factor: factor(g.r * g.s * g.c), "forward")
    let gradients = try Convolution.gradients(x, w, upstream, g)
    expectClose(try gradients.x.floats(), dx, factor: factor(g.r * g.s * g.k), "input gradient")
    expectClose(
      try gradients.w.floats(), dw, factor: factor(g.n * g.outputHeight * g.outputWidth), "weight gradient")
  }
}
