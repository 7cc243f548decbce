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
    let columns = inputs[0].shape[-1]
    let rows = inputs[0].shape.count / max(1, columns)
    let groups = max(1, min(64, rows / 64))
    let partial = try Tensor(uninitialized: [groups, columns], on: .openCL(openCL))
    try openCL.launchGroups("column_sum_groups", rows, columns, groups, [inputs[0], partial], sums: 1)
    try openCL.launch(
      "sum_partials",
      [.int(columns), .int(groups), .buffer(partial.buffer), .buffer(outputs[0].buffer)], elements: columns)
  }
}

/// The sum of all elements, a scalar.
public func sum(_ x: Tensor) throws -> Tensor { try total(x, scale: 1) }

/// The mean of all elements, a scalar.
public func mean(_ x: Tensor) throws -> Tensor { try total(x, scale: 1 / Float(max(1, x.shape.count))) }

/// The sum of all elements times a constant.
func total(_ x: Tensor, scale: Float) throws -> Tensor {
  let shape = x.shape
  return try Total(scale: scale)(x).recorded(from: [
    (x, { try FillFromScalar(shape: shape, constant: scale)($0) })
  ])
}

/// scale * (x[0] + x[1] + ...). Up to 64 interleaved groups are summed first, then the groups in order.
struct Total: Operation {
  let scale: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape.count > 0, "there are no elements", inputs)
    return [OutputSpec([])]
  }

  private func groups(_ count: Int) -> Int { count <= 1024 ? 1 : 64 }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, count) = (inputs[0].pointer, inputs[0].shape.count)
    let groups = self.groups(count)
    var partial = [Float](repeating: 0, count: groups)
    partial.withUnsafeMutableBufferPointer { partial in
      let sums = partial.baseAddress!
      cpu.parallel(groups) { group in
        var sum: Float = 0
        for i in stride(from: group, to: count, by: groups) { sum += x[i] }
        sums[group] = sum
      }
    }
    outputs[0].pointer[0] = partial.dropFirst().reduce(partial[0], +) * scale
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    let groups = self.groups(count)
    var (x, terms) = (inputs[0], count)
    if groups > 1 {
      x = try Tensor(uninitialized: [groups], on: .openCL(openCL))
      terms = groups
      let arguments: [KernelArgument] = [
        .int(count), .int(groups), .buffer(inputs[0].buffer), .buffer(x.buffer),
      ]
      if openCL.kernelShape == .gpu {
        try openCL.launch("sum_groups_gpu", arguments, global: [128 * groups], local: [128])
      } else {
        try openCL.launch("sum_groups", arguments, elements: groups)
      }
    }
    try openCL.launch(
      "sum_all", [.int(terms), .float(scale), .buffer(x.buffer), .buffer(outputs[0].buffer)], global: [1],
      local: [1])
  }
}

/// A tensor whose elements all are a scalar tensor's value times a constant.
struct FillFromScalar: Operation {
  let shape: Shape
  let constant: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    outputs[0].pointer.update(repeating: inputs[0].pointer[0] * constant, count: shape.count)
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try openCL.launch(
      "fill_from_scalar",
      [.int(shape.count), .float(constant), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer)],
      each: shape.count)
  }
}

/// Sums, or sums of squares, of each sample's elements: (N, ...) to (N). Without gradient.
public func sampleSums(_ x: Tensor, squared: Bool = false) throws -> Tensor {
  try RowSums(squared: squared)(x)
}

/// Sums of each row of x seen as (first dimension, the rest).
struct RowSums: Operation {
  let squared: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec([inputs[0].shape[0]])] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, sums) = (inputs[0].pointer, outputs[0].pointer)
    let columns = inputs[0].shape.count / max(1, inputs[0].shape[0])
    cpu.parallelRanges(inputs[0].shape[0], grain: CPU.elementwiseGrain / max(1, columns) + 1) { rows in
      for row in rows {
        var sum: Float = 0
        for j in 0..<columns {
          let v = x[row * columns + j]
          sum += squared ? v * v : v
        }
        sums[row] = sum
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let rows = inputs[0].shape[0]
    let columns = inputs[0].shape.count / max(1, rows)
    let arguments: [KernelArgument] = [
      .int(rows), .int(columns), .int(squared ? 1 : 0), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer),
    ]
    if openCL.kernelShape == .gpu, columns >= 64 {
      try openCL.launch("row_sums_gpu", arguments, global: [128 * rows], local: [128])
    } else {
      try openCL.launch("row_sums", arguments, elements: rows)
    }
  }
}
