import Devices

extension CPU {
  /// dx of a convolution: by Winograd's algorithm where the forward convolution is. Else, with enough channels, it is a
  /// convolution of dy with rotated weights, or several for a stride above 1; otherwise it is summed over the lanes of
  /// vectors (``ConvolutionGeometry/gathersInputGradient(vector:)``), or the product dy * weights^T is scattered back onto
  /// the images.
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
    } else if g.gathersInputGradient(vector: kernels.panelWidth / 2) {
      gatherInputGradient(g, dy, weights, into: dx, mask: mask)
    } else {
      scatterInputGradient(g, dy, weights, into: dx, mask: mask)
    }
  }

  /// dx of images of one or three channels, row by row.
  private func gatherInputGradient(
    _ g: ConvolutionGeometry, _ dy: UnsafePointer<Float>, _ weights: Tensor,
    into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let row = g.outputWidth * g.k
    let weights = UnsafePointer(weights.pointer)
    let sums = (g.outputWidth + 2) * g.c * kernels.panelWidth / 2
    parallel(g.n) { image in
      let buffer = makeBuffer(byteCount: (sums + row) * 4)
      let scratch = buffer.address.assumingMemoryBound(to: Float.self)
      // In place of rows beyond the image.
      let zeros = scratch + sums
      zeros.update(repeating: 0, count: row)
      func line(_ y: Int) -> UnsafePointer<Float> {
        (0..<g.outputHeight).contains(y) ? dy + (image * g.outputHeight + y) * row : UnsafePointer(zeros)
      }
      for y in 0..<g.h {
        // Tap r of row y meets row y + padding - r of the output.
        let (top, at) = (y + g.padding, (image * g.h + y) * g.w * g.c)
        kernels.tapInputGradient(
          line(top), line(top - 1), line(top - 2), g.outputWidth, g.c, g.k, weights, g.padding, dx + at, g.w,
          scratch)
        if let mask { for i in at..<at + g.w * g.c where !(mask[i] > 0) { dx[i] = 0 } }
      }
      withExtendedLifetime(buffer) {}
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
    // A few rows at a time, so that their products stay in the second-level cache.
    let rows = max(1, min(g.outputHeight, 32_768 / (g.outputWidth * rowStride)))
    parallel(g.n) { image in
      let buffer = makeBuffer(byteCount: max(1, rows * g.outputWidth * rowStride) * 4)
      let products = buffer.address.assumingMemoryBound(to: Float.self)
      let (size, target) = (g.h * g.w * g.c, dx + image * g.h * g.w * g.c)
      target.update(repeating: 0, count: size)
      for first in stride(from: 0, to: g.outputHeight, by: rows) {
        let block = first..<min(g.outputHeight, first + rows)
        let pixel = image * pixels + first * g.outputWidth
        multiplyBlock(
          tile, left, packed, rows: pixel..<pixel + block.count * g.outputWidth, panels: 0..<packed.panels,
          into: products - pixel * rowStride, epilogue: Epilogue())
        scatter(g, products, rowStride, rows: block, into: target)
      }
      if let mask {
        for i in 0..<size where !(mask[image * size + i] > 0) { target[i] = 0 }
      }
      withExtendedLifetime(buffer) {}
    }
  }

  /// Adds the products (pixels of some rows of the output x R * S * C) of one image to the input pixels they came from.
  private func scatter(
    _ g: ConvolutionGeometry, _ products: UnsafePointer<Float>, _ rowStride: Int, rows: Range<Int>,
    into image: UnsafeMutablePointer<Float>
  ) {
    let (line, segment) = (g.w * g.c, g.s * g.c)
    // Columns of the output whose taps all lie inside the image.
    let first = min(g.outputWidth, (g.padding + g.stride - 1) / g.stride)
    let last = max(first, min(g.outputWidth, (g.w - g.s + g.padding) / g.stride + 1))
    for y in rows {
      for tap in 0..<g.r {
        let row = y * g.stride + tap - g.padding
        guard row >= 0, row < g.h else { continue }
        let source = products + (y - rows.lowerBound) * g.outputWidth * rowStride + tap * segment
        let target = image + row * line
        for column in 0..<g.outputWidth {
          let start = (column * g.stride - g.padding) * g.c
          let isInside = column >= first && column < last
          let lower = isInside ? 0 : max(0, -start)
          let upper = isInside ? segment : max(lower, min(segment, line - start))
          let (from, to) = (source + column * rowStride, target + start)
          // Not as vectors: the next column's would wait for parts of two stores.
          for e in lower..<upper { to[e] += from[e] }
        }
      }
    }
  }
}

extension ConvolutionGeometry {
  /// Whether the lanes of vectors sum over outputs, two vectors at a time: few channels whose 3x3 taps are summed for rows
  /// of at least a vector.
  func gathersInputGradient(vector: Int) -> Bool {
    [1, 3].contains(c) && r == 3 && s == 3 && stride == 1 && padding <= 2 && k > 0 && k % (2 * vector) == 0
      && w * c >= vector
      && !isPaired
  }
}
