import Devices

extension OpenCL {
  /// The programs that commands compile ahead of their first use: every family of the kernel shape in use, with the
  /// macros that its launches give. Variants that depend on the shapes of a network are left to their first launch, as
  /// are all programs where compiling ahead gains nothing.
  package var programsAhead: [ProgramVariant] {
    guard info.compilesInParallel else { return [] }
    return KernelSources.families(for: kernelShape).map {
      ProgramVariant($0, $0.hasSuffix("_cpu") ? cpuDefines : [:])
    }
  }
}
