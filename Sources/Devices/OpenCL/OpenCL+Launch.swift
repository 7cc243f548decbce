extension OpenCL {
  /// Queues a kernel with one work item per element, in work groups of 64 (1024 with kernels shaped for CPUs);
  /// the kernel must ignore items beyond its count. For `--profile` each of its buffers counts as read or written once, up to 4 bytes an element.
  package func launch(
    _ name: String, _ arguments: [KernelArgument], elements count: Int, flops: Int? = nil, bytes: Int? = nil
  ) throws {
    try launch(
      name, arguments, global: [count], local: [kernelShape == .cpu ? 1024 : 64],
      flops: flops, bytes: bytes ?? self.bytes(arguments, elements: count))
  }

  /// The same for a kernel that uses `FOR_EACH` (Kernels/common.cl).
  package func launch(_ name: String, _ arguments: [KernelArgument], each count: Int) throws {
    guard let elements = macros(ofProgram: KernelSources.familyOfKernel[name] ?? "")["ELEMENTS"] else {
      return try launch(name, arguments, elements: count)
    }
    try launch(
      name, arguments, global: [(count + elements - 1) / elements], local: [1],
      defines: ["ELEMENTS": elements],
      bytes: bytes(arguments, elements: count))
  }

  /// Macros of a program besides those that a launch gives. With kernels for CPU runtimes, some of which may still be
  /// launched after a failed check, the floats of a vector and the elements of an item of `FOR_EACH`; PoCL compiles
  /// prefetches, and Oclgrind refuses kernels with them.
  func macros(ofProgram family: String) -> [String: Int] {
    guard kernelShape == .cpu || family.hasSuffix("_cpu") else { return [:] }
    return ["VECTOR": vectorWidth, "ELEMENTS": 4096].merging(info.isPoCL ? ["CAN_PREFETCH": 1] : [:]) { $1 }
  }

  /// What a profile counts as read and written.
  private func bytes(_ arguments: [KernelArgument], elements count: Int) -> Int? {
    guard profiler != nil else { return nil }
    return arguments.reduce(0) { sum, argument in
      guard case .buffer(let buffer) = argument else { return sum }
      return sum + min(buffer.byteCount, 4 * count)
    }
  }
}
