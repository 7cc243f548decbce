extension OpenCL {
  /// Queues a kernel with one work item per element, in work groups of 64; the kernel must ignore items beyond
  /// its count.
  package func launch(_ name: String, _ arguments: [KernelArgument], elements count: Int) throws {
    try launch(name, arguments, global: [count], local: [kernelShape == .cpu ? 1024 : 64])
  }
}
