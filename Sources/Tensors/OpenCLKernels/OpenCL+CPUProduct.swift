import Devices

/// Products shaped for CPU runtimes; see `product_cpu.cl`.
extension OpenCL {
  /// Columns of a panel (PANEL in product_cpu.cl).
  var panel: Int { 2 * vectorWidth }
  /// Rows of a tile of sums (HEIGHT in product_cpu.cl).
  var tileHeight: Int { vectorWidth == 16 ? 12 : 6 }

  /// Panels that so many columns fill.
  func panels(_ columns: Int) -> Int { (columns + panel - 1) / panel }

  /// Macros of every program shaped for CPU runtimes. PoCL compiles prefetches; Oclgrind refuses kernels with them.
  var cpuDefines: [String: Int] {
    info.isPoCL ? ["VECTOR": vectorWidth, "CAN_PREFETCH": 1] : ["VECTOR": vectorWidth]
  }

  /// Queues one work item per task, with `scratch` floats of local memory.
  func launchTasks(
    _ name: String, _ arguments: [KernelArgument], tasks: [Int], scratch: Int? = nil,
    defines: [String: Int] = [:], flops: Int? = nil
  ) throws {
    try launch(
      name, arguments + (scratch.map { [.local($0 * 4)] } ?? []), global: tasks,
      local: tasks.map { _ in 1 }, defines: defines.merging(cpuDefines) { $1 }, flops: flops)
  }

  /// The macro that lets a result (..., columns) of more than 16 MB be stored past the caches; its vectors are aligned.
  func pastCaches(_ result: Shape) -> [String: Int] {
    result[-1] % panel == 0 && result.count >= 1 << 22 ? ["PAST_CACHES": 1] : [:]
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
    // A deep product of few rows reads B once per task: no more of them than there are threads.
    let isDeep = k > 4 * m
    let tasks = isDeep ? info.computeUnits : 6 * info.computeUnits
    let balanced = (m / tasks + tileHeight - 1) / tileHeight * tileHeight
    let rows = max(
      tileHeight, min(isDeep ? m + tileHeight - 1 : 8 * tileHeight, fits, balanced) / tileHeight * tileHeight)
    try launchTasks(
      "matmul_cpu",
      [.int(m), .int(n), .int(k)] + a.arguments
        + [
          .buffer(packed), .optional(bias), .int(relu ? 1 : 0), .buffer(c), .int(rows), .int(depthBlock),
        ], tasks: [(m + rows - 1) / rows], scratch: rows * depthBlock + vectorWidth,
      defines: k <= depthBlock ? pastCaches([m, n]) : [:], flops: 2 * m * n * k)
  }

  /// b (depth, columns) in panels, zero-padded.
  func packPanels(_ b: StridedMatrix, depth: Int, columns: Int) throws -> Buffer {
    let packed = try makeBuffer(byteCount: max(1, panels(columns) * depth * panel) * 4)
    try launch(
      "matmul_pack_cpu", [.int(depth), .int(columns)] + b.arguments + [.buffer(packed)],
      global: [depth, panels(columns)], local: [64, 1], defines: cpuDefines)
    return packed
  }
}
