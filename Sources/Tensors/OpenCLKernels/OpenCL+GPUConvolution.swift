import Devices

/// The convolutions shaped for GPUs: implicit products, pointwise ones as plain products, and Winograd's algorithm.
extension OpenCL {
  func convolveGPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?, relu: Bool, into y: Tensor
  ) throws {
    let end = ProductEpilogue(bias: bias?.buffer, relu: relu)
    if let extent = winogradExtent(g, .convolution) {
      return try convolveWinograd(g, extent, x, weights, end, into: y)
    }
    let shape = g.productShape
    if g.isPointwise {
      return try multiplyGPU(
        StridedMatrix(x.buffer, rowStride: g.c, columnStride: 1),
        StridedMatrix(weights.buffer, rowStride: g.k, columnStride: 1), shape, end, into: y.buffer)
    }
    let plan = self.plan(shape, .convolution)
    let parts = plan.parts(shape.depth)
    let range = plan.tile.range(rows: shape.rows, columns: shape.columns, layers: parts.count)
    let defines = macros(
      of: plan.tile, a: OperandLayout(along: false, divisible: [g.c]),
      b: OperandLayout(along: true, divisible: [g.k]),
      columns: g.k)
    let images = try operand(x.buffer, for: plan.tile)
    let filters = try operand(weights.buffer, for: plan.tile)
    try requireAddressable([g.imageShape.count, g.outputShape.count])
    try inParts(parts.count, count: shape.rows * g.k, columns: g.k, end, into: y.buffer) {
      try launch(
        "convolution_gpu",
        g.arguments + [.int(parts.chunk), .buffer(images), .buffer(filters)] + $0.arguments
          + [.buffer($1)], global: range.global, local: range.local, defines: defines, flops: g.operations)
    }
  }

  /// dx, by phases of the stride; 0 where `mask` is not positive.
  func convolveInputGradientGPU(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, mask: Buffer?, into dx: Tensor
  ) throws {
    let end = ProductEpilogue(mask: mask)
    if let extent = winogradExtent(g, .inputGradient) {
      return try inputGradientWinograd(g, extent, dy, weights, end, into: dx)
    }
    if g.isPointwise {
      return try multiplyGPU(
        StridedMatrix(dy.buffer, rowStride: g.k, columnStride: 1),
        StridedMatrix(weights.buffer, rowStride: 1, columnStride: g.k),
        ProductShape(rows: g.n * g.h * g.w, columns: g.c, depth: g.k), end, into: dx.buffer)
    }
    let shape = g.inputGradientShape
    let plan = self.plan(shape, .inputGradient)
    let parts = plan.parts(shape.depth)
    let range = plan.tile.range(rows: shape.rows, columns: g.c, layers: parts.count * shape.batch)
    let layout = OperandLayout(along: false, divisible: [g.k])
    let upstream = try operand(dy.buffer, for: plan.tile)
    let filters = try operand(weights.buffer, for: plan.tile)
    try requireAddressable([g.imageShape.count, g.outputShape.count])
    try inParts(parts.count, count: g.imageShape.count, columns: g.c, end, into: dx.buffer) {
      try launch(
        "convolution_input_gradient_gpu",
        g.arguments + [
          .int(parts.chunk), .buffer(upstream), .buffer(filters), .optional($0.mask), .buffer($1),
        ], global: range.global, local: range.local,
        defines: macros(of: plan.tile, a: layout, b: layout, columns: g.c), flops: g.operations)
    }
  }

  /// dW as partial sums over chunks of pixels, added in order.
  func convolveWeightGradientGPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    if let extent = winogradExtent(g, .weightGradient) {
      return try weightGradientWinograd(g, extent, x, dy, into: dw)
    }
    let shape = g.weightGradientShape
    if g.isPointwise {
      return try multiplyGPU(
        StridedMatrix(x.buffer, rowStride: 1, columnStride: g.c),
        StridedMatrix(dy.buffer, rowStride: g.k, columnStride: 1), shape, into: dw.buffer)
    }
    let plan = self.plan(shape, .weightGradient)
    let parts = plan.parts(shape.depth)
    let range = plan.tile.range(rows: shape.rows, columns: shape.columns, layers: parts.count)
    let defines = macros(
      of: plan.tile, a: OperandLayout(along: true, divisible: [g.c]),
      b: OperandLayout(along: true, divisible: [g.k]),
      columns: g.k)
    let images = try operand(x.buffer, for: plan.tile)
    let upstream = try operand(dy.buffer, for: plan.tile)
    try requireAddressable([g.imageShape.count, g.outputShape.count, parts.count * shape.rows * g.k])
    try inParts(parts.count, count: shape.rows * g.k, columns: g.k, .init(), into: dw.buffer) {
      try launch(
        "convolution_weight_gradient_gpu",
        g.arguments + [.int(parts.chunk), .buffer(images), .buffer(upstream), .buffer($1)],
        global: range.global, local: range.local, defines: defines, flops: g.operations)
    }
  }
}

extension ConvolutionGeometry {
  /// The arguments that a GPU-shaped convolution begins with.
  fileprivate var arguments: [KernelArgument] {
    [n, h, w, c, outputHeight, outputWidth, k, r, s, stride, padding].map { .int($0) }
  }

  /// Output pixels x filters, over taps and channels.
  package var productShape: ProductShape {
    ProductShape(rows: n * outputHeight * outputWidth, columns: k, depth: r * s * c)
  }

  /// Input pixels of the largest phase x channels, over the taps of the largest phase and filters; once per phase.
  package var inputGradientShape: ProductShape {
    func part(_ extent: Int) -> Int { (extent + stride - 1) / stride }
    return ProductShape(
      rows: n * part(h) * part(w), columns: c, depth: part(r) * part(s) * k, batch: stride * stride)
  }

  /// Taps and channels x filters, over output pixels.
  package var weightGradientShape: ProductShape {
    ProductShape(rows: r * s * c, columns: k, depth: n * outputHeight * outputWidth)
  }
}
