import Devices

/// A matrix in a buffer, read through strides, so that a transposed one needs no copy.
package struct StridedMatrix {
  let buffer: Buffer
  let rowStride: Int
  let columnStride: Int
  /// From one matrix of a batch to the next.
  var batchStride = 0

  package init(_ buffer: Buffer, rowStride: Int, columnStride: Int, batchStride: Int = 0) {
    self.buffer = buffer
    (self.rowStride, self.columnStride, self.batchStride) = (rowStride, columnStride, batchStride)
  }

  /// A row-major matrix with so many columns, or its transpose.
  init(_ buffer: Buffer, columns: Int, transposed: Bool = false) {
    self.buffer = buffer
    (rowStride, columnStride) = transposed ? (1, columns) : (columns, 1)
  }

  var arguments: [KernelArgument] { [.buffer(buffer), .int(rowStride), .int(columnStride)] }

  /// The arguments of a batched product that reads the values in another buffer.
  func arguments(_ operand: Buffer) -> [KernelArgument] {
    [.buffer(operand), .int(rowStride), .int(columnStride), .int(batchStride)]
  }
}

extension OpenCL {
  /// c (m, n) = a (m, k) b (k, n) + bias, then ReLU, then 0 where `mask` (m, n), a ReLU's output, is not positive.
  func multiply(
    _ a: StridedMatrix, _ b: StridedMatrix, rows m: Int, columns n: Int, depth k: Int, bias: Buffer?,
    relu: Bool, mask: Tensor? = nil, into c: Tensor
  ) throws {
    switch kernelShape {
    case .gpu:
      try multiplyGPU(
        a, b, ProductShape(rows: m, columns: n, depth: k),
        ProductEpilogue(bias: bias, mask: mask?.buffer, relu: relu), into: c.buffer)
    case .cpu:
      try multiplyCPU(a, b, rows: m, columns: n, depth: k, bias: bias, relu: relu, into: c.buffer)
      if let mask { try Relu.Gradient().run(on: self, [mask, c], [c]) }
    }
  }
}
