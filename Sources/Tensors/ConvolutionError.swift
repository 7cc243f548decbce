import Devices
import Randomness

/// A convolution of random values beside the same sums in float64.
package struct ConvolutionError {
  private let g: ConvolutionGeometry
  private let x: [Float]
  private let weights: [Float]
  private let dy: [Float]

  /// Values are uniform in [-1, 1], and rounded to `precision`.
  package init(_ geometry: ConvolutionGeometry, rounded precision: Precision = .fp32) {
    g = geometry
    var stream = RandomStream(seed: 1, purpose: .weights)
    func values(_ shape: Shape) -> [Float] {
      (0..<shape.count).map { _ in precision.rounded(2 * stream.nextUniform() - 1) }
    }
    (x, weights, dy) = (values(g.imageShape), values(g.weightShape), values(g.outputShape))
  }

  /// The largest error at places spread over the result, relative to the result's largest value at them; infinite if
  /// any value is not finite.
  package func largest(_ direction: Convolution.Direction, on device: Device) throws -> Double {
    let result = try Convolution.run(
      direction, g, Tensor(x, shape: g.imageShape, on: device),
      Tensor(weights, shape: g.weightShape, on: device),
      Tensor(dy, shape: g.outputShape, on: device)
    ).floats()
    guard result.allSatisfy(\.isFinite) else { return .infinity }
    // Sums of weight gradients run over all pixels of all images.
    let places = min(result.count, direction == .weightGradient ? 500 : 5000)
    var (error, magnitude) = (0.0, 0.0)
    for place in 0..<places {
      let at = place * result.count / places
      let exact = sum(direction, at)
      error = max(error, abs(Double(result[at]) - exact))
      magnitude = max(magnitude, abs(exact))
    }
    return error / magnitude
  }

  private func sum(_ direction: Convolution.Direction, _ at: Int) -> Double {
    switch direction {
    case .forward: output(at)
    case .inputGradient: inputGradient(at)
    case .weightGradient: weightGradient(at)
    }
  }

  /// Calls `body` with the taps of an output pixel that lie inside the image: tap and pixel.
  private func forTaps(_ image: Int, _ row: Int, _ column: Int, _ body: (Int, Int) -> Void) {
    for tap in 0..<g.r * g.s {
      let y = row * g.stride + tap / g.s - g.padding
      let x = column * g.stride + tap % g.s - g.padding
      if (0..<g.h).contains(y), (0..<g.w).contains(x) { body(tap, (image * g.h + y) * g.w + x) }
    }
  }

  private func output(_ at: Int) -> Double {
    let (k, pixel) = (at % g.k, at / g.k)
    let perImage = g.outputHeight * g.outputWidth
    var sum = 0.0
    forTaps(pixel / perImage, pixel % perImage / g.outputWidth, pixel % g.outputWidth) { tap, source in
      for c in 0..<g.c { sum += Double(x[source * g.c + c]) * Double(weights[(tap * g.c + c) * g.k + k]) }
    }
    return sum
  }

  private func inputGradient(_ at: Int) -> Double {
    let (c, pixel) = (at % g.c, at / g.c)
    let (image, row, column) = (pixel / (g.h * g.w), pixel % (g.h * g.w) / g.w, pixel % g.w)
    var sum = 0.0
    for tap in 0..<g.r * g.s {
      let (y, x) = (row + g.padding - tap / g.s, column + g.padding - tap % g.s)
      guard y >= 0, x >= 0, y % g.stride == 0, x % g.stride == 0, y / g.stride < g.outputHeight,
        x / g.stride < g.outputWidth
      else { continue }
      let target = ((image * g.outputHeight + y / g.stride) * g.outputWidth + x / g.stride) * g.k
      for k in 0..<g.k { sum += Double(dy[target + k]) * Double(weights[(tap * g.c + c) * g.k + k]) }
    }
    return sum
  }

  private func weightGradient(_ at: Int) -> Double {
    let (k, c, wanted) = (at % g.k, at / g.k % g.c, at / (g.k * g.c))
    let perImage = g.outputHeight * g.outputWidth
    var sum = 0.0
    for pixel in 0..<g.n * perImage {
      forTaps(pixel / perImage, pixel % perImage / g.outputWidth, pixel % g.outputWidth) { tap, source in
        if tap == wanted { sum += Double(x[source * g.c + c]) * Double(dy[pixel * g.k + k]) }
      }
    }
    return sum
  }
}
