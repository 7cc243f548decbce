import Devices
import FileFormats

/// Products shaped for CPU runtimes; see `product_cpu.cl`.
extension OpenCL {
  /// Columns of a panel (PANEL in product_cpu.cl).
  var panel: Int { 2 * vectorWidth }
  /// Rows of a tile of sums (HEIGHT in product_cpu.cl).
  var tileHeight: Int { vectorWidth == 16 ? 12 : 6 }

  /// Panels that so many columns fill.
  func panels(_ columns: Int) -> Int { (columns + panel - 1) / panel }

  /// Queues one work item per task, with `scratch` floats of local memory.
  func launchTasks(
    _ name: String, _ arguments: [KernelArgument], tasks: [Int], scratch: Int? = nil,
    defines: [String: Int] = [:], flops: Int? = nil
  ) throws {
    if let scratch, !fits(scratch) {
      throw TemperError(
        .internal, field: name, "wants \(scratch * 4) bytes of local memory, of \(info.localMemory)")
    }
    try launch(
      name, arguments + (scratch.map { [.local($0 * 4)] } ?? []), global: tasks,
      local: tasks.map { _ in 1 }, defines: defines, flops: flops)
  }

  /// What is done to a result (..., columns) at last, `finish` in product_cpu.cl: a ReLU; and if it has more than 16 MB,
  /// and its vectors are aligned, it is stored past the caches.
  func finish(_ result: Shape, relu: Bool, mayPassCaches: Bool = true) -> KernelArgument {
    let passesCaches = mayPassCaches && result[-1] % panel == 0 && result.count >= 1 << 22
    return .int((relu ? 1 : 0) + (passesCaches ? 2 : 0))
  }

  func multiplyCPU(
    _ a: StridedMatrix, _ b: StridedMatrix, rows m: Int, columns n: Int, depth k: Int, bias: Buffer?,
    relu: Bool, into c: Buffer
  ) throws {
    let packed = try b.buffer.derived("matmul \(b.rowStride) \(b.columnStride)") {
      try packPanels(b, depth: k, columns: n)
    }
    let depthBlock = max(1, min(k, 512))
    let fits = (info.localMemory / 4 - vectorWidth) / depthBlock / tileHeight * tileHeight
    let rows = rowsPerTask(m, isDeep: k > 4 * m, largest: max(tileHeight, fits))
    try launchTasks(
      "matmul_cpu",
      [.int(m), .int(n), .int(k)] + a.arguments
        + [
          .buffer(packed), .optional(bias), finish([m, n], relu: relu, mayPassCaches: k <= depthBlock),
          .buffer(c),
          .int(rows), .int(depthBlock),
        ], tasks: [(m + rows - 1) / rows], scratch: rows * depthBlock + vectorWidth, flops: 2 * m * n * k)
  }

  /// Rows of a product's task, whole tiles: so many that the threads end together and B is seldom read anew. A deep product
  /// of few rows reads B once per task: then there are no more tasks than threads.
  private func rowsPerTask(_ m: Int, isDeep: Bool, largest: Int) -> Int {
    let threads = info.computeUnits
    if isDeep {
      let share = (m + threads - 1) / threads
      return min(largest, (share + tileHeight - 1) / tileHeight * tileHeight)
    }
    func time(_ rows: Int) -> Int {
      let tasks = (m + rows - 1) / rows
      // Reading B costs as much as two more rows.
      return (tasks + threads - 1) / threads * (rows + 2)
    }
    return stride(from: tileHeight, through: min(largest, 8 * tileHeight), by: tileHeight)
      .reversed().min { time($0) < time($1) }!
  }

  /// b (depth, columns) in panels, zero-padded.
  func packPanels(_ b: StridedMatrix, depth: Int, columns: Int) throws -> Buffer {
    let packed = try makeBuffer(byteCount: max(1, panels(columns) * depth * panel) * 4)
    try launch(
      "matmul_pack_cpu", [.int(depth), .int(columns)] + b.arguments + [.buffer(packed)],
      global: [depth, panels(columns)], local: [64, 1])
    return packed
  }
}
