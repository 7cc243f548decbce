extension OpenCL {
  /// Queues a kernel with one work item per element, in work groups of 64 (1024 with kernels shaped for CPUs);
  /// the kernel must ignore items beyond its count. For `--profile` each of its buffers counts as read or written once, up to 4 bytes an element.
  package func launch(
    _ name: String, _ arguments: [KernelArgument], elements count: Int, flops: Int? = nil, bytes: Int? = nil
  ) throws {
    var bytes = bytes
    if bytes == nil, profiler != nil {
      bytes = arguments.reduce(0) { sum, argument in
        guard case .buffer(let buffer) = argument else { return sum }
        return sum + min(buffer.byteCount, 4 * count)
      }
    }
    try launch(
      name, arguments, global: [count], local: [kernelShape == .cpu ? 1024 : 64], flops: flops, bytes: bytes)
  }
}
