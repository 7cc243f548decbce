import Devices

/// What computes one direction of a convolution on a CPU runtime: kernels of their own, which ``KernelCheck`` checks before
/// their first use.
enum CPUConvolutionKernels: Hashable {
  /// Winograd's algorithm. Large filters share the transformed tiles.
  case winograd(stride: Int, isLarge: Bool)
  case winogradOfColors
  /// A product of matrices: the image is one.
  case product
  /// Of few channels if the taps are unrolled.
  case direct(hasFewChannels: Bool)
  /// Input gradients of first layers.
  case gathered(channels: Int), scattered
  /// Kernels for GPUs: not even one row fits local memory.
  case gpu
}

extension OpenCL {
  /// The choice for one direction of a convolution.
  func cpuKernels(_ direction: Convolution.Direction, _ g: ConvolutionGeometry) -> CPUConvolutionKernels {
    if usesWinogradCPU(g) {
      let job = WinogradCPUJob(self, g)
      let isLarge = direction == .inputGradient ? !job.hasWholeImages : !job.hasSmallFilters
      if direction != .inputGradient || g.stride == 1 || !isLarge {
        return .winograd(stride: g.stride, isLarge: isLarge)
      }
    }
    if direction == .inputGradient {
      if usesGather(g) { return .gathered(channels: g.c) }
      if usesScatter(g) { return .scattered }
    } else if usesWinogradOfColors(g) {
      return .winogradOfColors
    }
    if g.isPointwise { return .product }
    guard fits(directFloats(direction, g)) else { return .gpu }
    return .direct(hasFewChannels: direction != .inputGradient && g.s * g.c <= min(9, tileHeight))
  }

  /// Makes the check of what computes one direction of a convolution if that is still to be done.
  func checkBeforeUse(_ direction: Convolution.Direction, _ g: ConvolutionGeometry) throws {
    guard kernelShape == .cpu else { return }
    try beforeFirstUse(of: nameOfCheck(direction, g))
  }

  /// What the check of one direction of a convolution waits for.
  func nameOfCheck(_ direction: Convolution.Direction, _ g: ConvolutionGeometry) -> String {
    "\(direction.rawValue): \(cpuKernels(direction, g))"
  }
}
