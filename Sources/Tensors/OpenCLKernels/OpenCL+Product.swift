import Devices

/// A matrix in a buffer, read through strides, so that a transposed one needs no copy.
struct StridedMatrix {
  let buffer: Buffer
  let rowStride: Int
  let columnStride: Int

  /// A row-major matrix with so many columns, or its transpose.
  init(_ buffer: Buffer, columns: Int, transposed: Bool = false) {
    self.buffer = buffer
    (rowStride, columnStride) = transposed ? (1, columns) : (columns, 1)
  }

  var arguments: [KernelArgument] { [.buffer(buffer), .int(rowStride), .int(columnStride)] }
}

extension OpenCL {
  /// c (m, n) = a (m, k) b (k, n) + bias, then ReLU.
  func multiply(
    _ a: StridedMatrix, _ b: StridedMatrix, rows m: Int, columns n: Int, depth k: Int, bias: Buffer?,
    relu: Bool,
    into c: Buffer
  ) throws {
    switch kernelShape {
    case .gpu: try multiplyGPU(a, b, rows: m, columns: n, depth: k, bias: bias, relu: relu, into: c)
    case .cpu: try multiplyCPU(a, b, rows: m, columns: n, depth: k, bias: bias, relu: relu, into: c)
    }
  }
}
