import Devices

/// Operations on (rows, channels), in both shapes.
extension OpenCL {
  /// A sum over fixed groups of rows for each channel.
  ///
  /// - Parameter sums: sums per channel, which the kernel for CPU runtimes keeps in local memory.
  func launchGroups(
    _ name: String, _ rows: Int, _ channels: Int, _ groups: Int, _ buffers: [Tensor], sums: Int
  ) throws {
    let buffers: [KernelArgument] = buffers.map { .buffer($0.buffer) }
    let floats = sums * (channels + vectorWidth)
    if kernelShape == .cpu, fits(floats) {
      return try launchTasks(
        name + "_cpu", [.int(rows), .int(channels)] + buffers, tasks: [groups], scratch: floats)
    }
    let extents: [KernelArgument] = [.int(rows), .int(channels), .int(groups)]
    if kernelShape == .gpu, rows >= 128 {
      // LANES x DEPTH in reduction_gpu.cl; of few rows one item per channel and group takes care.
      return try launch(
        name + "_gpu", extents + buffers, global: [channels, 8 * groups], local: [32, 8])
    }
    try launch(name, extents + buffers, global: [channels, groups], local: [16, 1])
  }

  /// An operation on each element whose constants depend on the channel.
  func launchRows(_ name: String, _ rows: Int, _ channels: Int, _ arguments: [KernelArgument]) throws {
    let count = rows * channels
    if kernelShape == .cpu {
      let tasks = max(1, min(rows, count / 16_384))
      return try launchTasks(name + "_cpu", [.int(rows), .int(channels)] + arguments, tasks: [tasks])
    }
    try launch(name, [.int(count), .int(channels)] + arguments, elements: count)
  }

  /// An operation on the rows of logits (`softmax.cl`): an item per row, or on GPUs a work group per row of at least 32
  /// columns.
  func launchLogits(_ name: String, _ arguments: [KernelArgument], rows: Int, columns: Int) throws {
    guard kernelShape == .gpu, columns >= 32 else {
      return try launch(name, arguments, elements: rows)
    }
    try launch(
      name, arguments, global: [rowItems * rows], local: [rowItems], defines: ["ROW_ITEMS": rowItems])
  }

  /// Items of a work group for a row of logits.
  private var rowItems: Int { 64 }
}
