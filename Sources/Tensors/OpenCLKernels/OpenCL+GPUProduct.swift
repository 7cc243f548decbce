import Devices
import FileFormats

/// What follows a sum, in this order: bias, residual, ReLU, and 0 where a ReLU's output is not positive.
package struct ProductEpilogue {
  /// (columns), or nil.
  var bias: Buffer?
  /// As C, or nil.
  var residual: Buffer?
  /// As C, or nil.
  var mask: Buffer?
  var relu = false

  package init(bias: Buffer? = nil, residual: Buffer? = nil, mask: Buffer? = nil, relu: Bool = false) {
    (self.bias, self.residual, self.mask, self.relu) = (bias, residual, mask, relu)
  }

  var arguments: [KernelArgument] {
    [.optional(bias), .optional(residual), .optional(mask), .int(relu ? 1 : 0)]
  }
}

/// Products shaped for GPUs.
extension OpenCL {
  /// C (batch, rows, columns) = A B, then the epilogue. Deep products of few values are split over the depth.
  package func multiplyGPU(
    _ a: StridedMatrix, _ b: StridedMatrix, _ shape: ProductShape, _ end: ProductEpilogue = .init(),
    into c: Buffer
  ) throws {
    let plan = self.plan(shape, .product)
    let aLayout = a.layout(alongRows: true, extent: shape.rows, depth: shape.depth)
    let bLayout = b.layout(alongRows: false, extent: shape.columns, depth: shape.depth)
    let parts = plan.parts(shape.depth)
    let range = plan.tile.range(
      rows: shape.rows, columns: shape.columns, layers: shape.batch * parts.count)
    let head = [shape.rows, shape.columns, shape.depth, parts.count, parts.chunk].map {
      KernelArgument.int($0)
    }
    let operands =
      try a.arguments(operand(a.buffer, for: plan.tile)) + b.arguments(operand(b.buffer, for: plan.tile))
    let count = shape.rows * shape.columns
    try requireAddressable([
      count * shape.batch, a.reach(shape.rows, shape.depth), b.reach(shape.depth, shape.columns),
    ])
    try inParts(parts.count, count: count, columns: shape.columns, layers: shape.batch, end, into: c) {
      try launch(
        "matmul_gpu", head + operands + $0.arguments + [.buffer($1)], global: range.global,
        local: range.local,
        defines: macros(of: plan.tile, a: aLayout, b: bLayout, columns: shape.columns),
        flops: 2 * shape.batch * shape.rows * shape.columns * shape.depth)
    }
  }

  /// A buffer of floats as products with this tile read it: itself, or rounded to bfloat16 by a pass of its own, so that
  /// products read half the bytes. Of parameters that form is kept until they change.
  func operand(_ buffer: Buffer, for tile: ProductTile) throws -> Buffer {
    guard tile.precision == .bf16 else { return buffer }
    let count = buffer.byteCount / 4
    return try buffer.derived("bfloat16") {
      let rounded = try makeBuffer(byteCount: max(4, 2 * count))
      try launch(
        "round_bfloat16", [.int(count), .buffer(buffer), .buffer(rounded)], elements: (count + 3) / 4,
        bytes: 6 * count)
      return rounded
    }
  }

  /// Runs `body` with the epilogue and C; or with none and room for partial results, which are added in order.
  /// - Parameters:
  ///   - count: values of one layer of C, (layers, count / columns, columns).
  ///   - body: writes (layers, parts, count).
  func inParts(
    _ parts: Int, count: Int, columns: Int, layers: Int = 1, _ end: ProductEpilogue, into c: Buffer,
    _ body: (ProductEpilogue, Buffer) throws -> Void
  ) throws {
    guard parts > 1 else { return try body(end, c) }
    let partial = try makeBuffer(byteCount: parts * layers * count * 4)
    try body(.init(), partial)
    try launch(
      "product_sum_gpu",
      [.int(count), .int(parts), .int(columns), .buffer(partial)] + end.arguments + [.buffer(c)],
      global: [count, layers], local: [64, 1])
  }

  /// The GPU-shaped kernels count elements in 32 bits.
  /// - Throws: `.deviceUnavailable` if one of these is too large.
  func requireAddressable(_ counts: [Int]) throws {
    guard let largest = counts.max(), largest > Int(Int32.max) else { return }
    throw TemperError(
      .deviceUnavailable, field: info.name, "cannot address \(largest) values in one tensor",
      remedy: "Choose a smaller --batch-size.")
  }
}

extension StridedMatrix {
  /// How a product reads it. `alongRows`: whether its rows are C's (A) or the depth (B).
  fileprivate func layout(alongRows: Bool, extent: Int, depth: Int) -> OperandLayout {
    let (step, line) = alongRows ? (rowStride, columnStride) : (columnStride, rowStride)
    if step == 1 { return OperandLayout(along: true, divisible: [extent, line, batchStride]) }
    // Neighbours along the depth; without any, the order of loads does not matter and each is of one float.
    let divisible = line == 1 ? [depth, step, batchStride] : [1]
    return OperandLayout(along: false, divisible: divisible)
  }

  /// One more than the last element's index.
  fileprivate func reach(_ rows: Int, _ columns: Int) -> Int {
    (rows - 1) * rowStride + (columns - 1) * columnStride + 1
  }
}
