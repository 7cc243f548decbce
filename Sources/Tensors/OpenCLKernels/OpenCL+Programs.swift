import Devices

extension OpenCL {
  /// The programs that commands compile ahead of their first use: every family of the kernel shape in use, with the
  /// macros that its launches give. Variants that depend on the shapes of a network, as all products of GPUs do, are left
  /// to their first launch, as are all programs where compiling ahead gains nothing.
  package var programsAhead: [ProgramVariant] {
    guard info.compilesInParallel else { return [] }
    return KernelSources.families(for: kernelShape).filter {
      !["matmul_gpu", "convolution_gpu"].contains($0)
    }.map {
      ProgramVariant($0, $0 == "winograd_gpu" ? ["EXTENT": 4] : [:])
    }
  }
}
