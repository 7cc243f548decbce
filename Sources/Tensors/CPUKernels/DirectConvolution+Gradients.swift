import Devices

extension CPU {
  /// dx of a convolution: by Winograd's algorithm where the forward convolution is. Else, with enough channels, it is a
  /// convolution of dy with rotated weights, or several for a stride above 1; otherwise the product dy * weights^T is scattered back onto the images.
  func convolveInputGradient(
    _ g: ConvolutionGeometry, _ dy: UnsafePointer<Float>, _ weights: Tensor,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>? = nil
  ) throws {
    let epilogue = Epilogue(mask: mask)
    if g.isPointwise {
      let packed = PackedMatrix.of(
        weights, key: "pointwise gradient", depth: g.k, columns: g.c, rowStride: g.k, transposed: true,
        isPaired: g.isPaired, on: self)
      multiply(
        LeftMatrix(pointer: dy, stride: g.k, transposed: false), packed, rows: g.n * g.h * g.w, into: dx,
        epilogue: epilogue)
    } else if usesWinograd(g) {
      inputGradientWinograd(g, dy, weights, into: dx, mask: mask)
    } else if g.stride == 1, g.r == g.s, g.padding < g.r, g.c >= kernels.panelWidth / 2 {
      var transposed = try ConvolutionGeometry(
        images: g.outputShape, weights: [g.r, g.s, g.k, g.c], stride: 1, padding: g.r - 1 - g.padding)
      transposed.isPaired = g.isPaired
      convolve(transposed, dy, PackedSegments.rotated(weights, on: self), into: dx, epilogue: epilogue)
    } else if g.c >= kernels.panelWidth / 2 {
      stridedInputGradient(g, dy, weights, into: dx, mask: mask)
    } else {
      scatterInputGradient(g, dy, weights, into: dx, mask: mask)
    }
  }

  private func scatterInputGradient(
    _ g: ConvolutionGeometry, _ dy: UnsafePointer<Float>, _ weights: Tensor,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let taps = g.r * g.s * g.c
    let pixels = g.outputHeight * g.outputWidth
    // Whole panels, so that no tile has to be copied.
    let packed = PackedMatrix.of(
      weights, key: "scatter", depth: g.k, columns: taps, rowStride: g.k, transposed: true,
      isPaired: g.isPaired, on: self
    ).wholePanels
    let rowStride = packed.columns
    let left = LeftMatrix(pointer: dy, stride: g.k, transposed: false)
    let tile = TileProduct(self, pairs: g.isPaired)
    // An image at a time, so that its products stay in the second-level cache.
    parallel(g.n) { image in
      let buffer = makeBuffer(byteCount: max(1, pixels * rowStride) * 4)
      let products = buffer.address.assumingMemoryBound(to: Float.self)
      multiplyBlock(
        tile, left, packed, rows: image * pixels..<(image + 1) * pixels, panels: 0..<packed.panels,
        into: products - image * pixels * rowStride, epilogue: Epilogue())
      let (size, target) = (g.h * g.w * g.c, dx + image * g.h * g.w * g.c)
      scatter(g, products, rowStride, into: target)
      if let mask {
        for i in 0..<size where !(mask[image * size + i] > 0) { target[i] = 0 }
      }
      withExtendedLifetime(buffer) {}
    }
  }

  /// Adds the products (output pixels x R * S * C) of one image to the input pixels they came from.
  private func scatter(
    _ g: ConvolutionGeometry, _ products: UnsafePointer<Float>, _ rowStride: Int,
    into image: UnsafeMutablePointer<Float>
  ) {
    image.update(repeating: 0, count: g.h * g.w * g.c)
    for y in 0..<g.outputHeight {
      for tap in 0..<g.r * g.s {
        let row = y * g.stride + tap / g.s - g.padding
        guard row >= 0, row < g.h else { continue }
        // Columns of the output whose tap lies inside the image.
        let offset = tap % g.s - g.padding
        let first = max(0, (-offset + g.stride - 1) / g.stride)
        let last = min(g.outputWidth, (g.w - offset + g.stride - 1) / g.stride)
        var source = products + (y * g.outputWidth + first) * rowStride + tap * g.c
        var target = image + (row * g.w + first * g.stride + offset) * g.c
        for _ in first..<max(first, last) {
          for c in 0..<g.c { target[c] += source[c] }
          source += rowStride
          target += g.stride * g.c
        }
      }
    }
  }
}
