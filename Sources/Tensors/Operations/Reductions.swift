import Devices

/// Sums of each column of x seen as a matrix (all but the last dimension, last dimension): the gradient of a
/// bias. Rows are summed in at most 64 groups of fixed extent, then the groups in order.
struct ColumnSums: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec([inputs[0].shape[-1]])] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let columns = inputs[0].shape[-1]
    let rows = inputs[0].shape.count / max(1, columns)
    let groups = max(1, min(64, rows / 64))
    let (x, sums) = (inputs[0].pointer, outputs[0].pointer)
    let buffer = cpu.makeBuffer(byteCount: max(1, groups * columns) * 4)
    let partial = buffer.address.assumingMemoryBound(to: Float.self)
    cpu.parallel(groups) { group in
      let sum = partial + group * columns
      sum.update(repeating: 0, count: columns)
      for row in group * rows / groups..<(group + 1) * rows / groups {
        accumulate(x + row * columns, into: sum, columns)
      }
    }
    sums.update(repeating: 0, count: columns)
    for group in 0..<groups { accumulate(partial + group * columns, into: sums, columns) }
  }

  @inline(__always)
  private func accumulate(_ x: UnsafePointer<Float>, into sum: UnsafeMutablePointer<Float>, _ count: Int) {
    var j = 0
    while j + 8 <= count {
      (SIMD8(at: sum + j) + SIMD8(at: x + j)).store(to: sum + j)
      j += 8
    }
    while j < count {
      sum[j] += x[j]
      j += 1
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    fatalError("OpenCL half")
  }
}
