import FileFormats

/// Extents of a two-dimensional convolution: images (N, H, W, C), weights (R, S, C, K).
package struct ConvolutionGeometry: Hashable, Sendable {
  package let n, h, w, c, k, r, s, stride, padding: Int
  /// Whether the channels that are summed over, C or K, count pairs of bfloat16.
  package var isPaired = false

  /// - Throws: `.internal` if the channels differ or the kernel does not fit the padded image.
  package init(images: Shape, weights: Shape, stride: Int, padding: Int) throws {
    guard images.rank == 4, weights.rank == 4, images[3] == weights[2], stride >= 1, padding >= 0,
      images[1] + 2 * padding >= weights[0], images[2] + 2 * padding >= weights[1]
    else {
      throw TemperError(
        .internal, field: "conv2d",
        "images \(images) do not fit weights \(weights) (R, S, C, K) with stride \(stride), padding \(padding)"
      )
    }
    (n, h, w, c) = (images[0], images[1], images[2], images[3])
    (r, s, k) = (weights[0], weights[1], weights[3])
    (self.stride, self.padding) = (stride, padding)
  }

  /// Rows of the output.
  package var outputHeight: Int { (h + 2 * padding - r) / stride + 1 }
  /// Columns of the output.
  package var outputWidth: Int { (w + 2 * padding - s) / stride + 1 }
  package var outputShape: Shape { [n, outputHeight, outputWidth, k] }
  package var imageShape: Shape { [n, h, w, c] }
  package var weightShape: Shape { [r, s, c, k] }
  /// Whether every pixel is multiplied with one matrix.
  package var isPointwise: Bool { r == 1 && s == 1 && stride == 1 && padding == 0 }
  /// The same with images and weights of other extents, whose channels are pairs of bfloat16.
  func paired(images: Shape, weights: Shape) throws -> Self {
    var paired = try Self(images: images, weights: weights, stride: stride, padding: padding)
    paired.isPaired = true
    return paired
  }

  /// Multiplications and additions of one direction.
  package var operations: Int { 2 * n * outputHeight * outputWidth * k * r * s * c }
}
