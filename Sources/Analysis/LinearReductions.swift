import Datasets
import Logits
import Networks
import Tensors

extension LinearReductions {
  /// The most classes for which the margins' gradients are measured: one pass over the images each.
  public static let mostClasses = 100

  /// Measures the gradients of all margins at clean images.
  /// - Parameters:
  ///   - images: their labels are the true classes.
  ///   - epsilon: radius of the Linf ball in pixel units.
  ///   - progress: called after each batch with the number of images done.
  public init(
    of network: any Network, over images: some BatchSource, epsilon: Float, batchSize: Int = 250,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    let classes = network.description.classes
    var (ball, clipped): ([Float], [Float]) = ([], [])
    for range in images.ranges(of: batchSize) {
      let batch = try images.batch(range)
      let pixels = try batch.images.floats()
      let labels = try batch.labels.integers()
      let size = pixels.count / range.count
      var sums = [SIMD2<Double>](repeating: .zero, count: range.count * classes)
      for other in 0..<classes {
        let gradients = try Self.gradients(of: network, at: batch.images, labels, other)
        for row in labels.indices where labels[row] != other {
          let part = row * size..<(row + 1) * size
          sums[row * classes + other] = reduction(pixels[part], gradients[part], epsilon)
        }
      }
      ball += sums.map { Float($0.x) }
      clipped += sums.map { Float($0.y) }
      try progress(range.upperBound)
    }
    self.init(epsilon: Double(epsilon), classCount: classes, ball: ball, clipped: clipped)
  }

  /// The gradients by the images of z_y - z_other, in the images' layout.
  private static func gradients(
    of network: any Network, at images: Tensor, _ labels: [Int32], _ other: Int
  ) throws -> [Float] {
    let classes = network.description.classes
    var signs = [Float](repeating: 0, count: labels.count * classes)
    for (row, label) in labels.enumerated() where label != other {
      signs[row * classes + Int(label)] = 1
      signs[row * classes + other] = -1
    }
    let mask = try Tensor(signs, shape: [labels.count, classes], on: images.device)
    return try valueWithGradient(at: images) { try sum(multiply(try network($0), mask)) }.gradient.floats()
  }
}

/// The sum over pixels of |gradient| times epsilon, and times as much of it as the pixel can move against the gradient in [0, 1].
private func reduction(
  _ pixels: ArraySlice<Float>, _ gradient: ArraySlice<Float>, _ epsilon: Float
) -> SIMD2<Double> {
  zip(pixels, gradient).reduce(into: .zero) { sum, pair in
    let (pixel, slope) = pair
    let room = min(epsilon, slope > 0 ? pixel : 1 - pixel)
    sum += Double(abs(slope)) * SIMD2(Double(epsilon), Double(room))
  }
}
