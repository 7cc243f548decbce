import Devices
import FileFormats

/// What computes one direction of a convolution on a CPU runtime: kernels of their own, which ``KernelCheck`` checks before
/// their first use.
package enum CPUConvolutionKernels: Hashable, Sendable {
  /// A product of matrices: the image is one.
  case product
  /// Winograd's algorithm forward, or from dy with rotated filters. For large filters tasks share the transformed tiles.
  case winograd(stride: Int, sharesTiles: Bool)
  /// Its transpose, for input gradients, over whole images.
  case winogradByImages(stride: Int)
  /// Its weight gradient.
  case winogradSums(stride: Int, sharesTiles: Bool)
  case winogradOfColors
  case direct(DirectForm)
  /// Input gradients of first layers.
  case gathered(channels: Int), scattered
  /// The kernels of GPUs: not even one row fits local memory.
  case gpu

  /// What macros make of a direct convolution: those of few channels have unrolled taps, and weights that stay in registers or
  /// tiles that are equally high; a weight gradient may have all weights of a row of taps in one tile.
  package enum DirectForm: Hashable, Sendable { case general, weightsStay, equalTiles, oneTile }
}

/// What a check of kernels waits for.
package struct CPUConvolutionUse: Hashable, Sendable {
  package let direction: Convolution.Direction
  package let kernels: CPUConvolutionKernels

  package init(_ direction: Convolution.Direction, _ kernels: CPUConvolutionKernels) {
    // With rotated filters the input gradient is a forward convolution.
    let isForward = kernels == .winograd(stride: 1, sharesTiles: false)
    (self.direction, self.kernels) = (isForward ? .forward : direction, kernels)
  }
}

extension OpenCL {
  /// The choice for one direction of a convolution on a CPU runtime.
  package func cpuKernels(
    _ direction: Convolution.Direction, _ g: ConvolutionGeometry
  ) -> CPUConvolutionKernels {
    if let kernels = winogradKernels(direction, g) { return kernels }
    if direction == .inputGradient {
      if usesGather(g) { return .gathered(channels: g.c) }
      if usesScatter(g) { return .scattered }
    } else if usesWinogradOfColors(g) {
      return .winogradOfColors
    }
    if g.isPointwise { return .product }
    return fits(directFloats(direction, g)) ? .direct(directForm(direction, g)) : .gpu
  }

  private func winogradKernels(
    _ direction: Convolution.Direction, _ g: ConvolutionGeometry
  ) -> CPUConvolutionKernels? {
    guard usesWinogradCPU(g) else { return nil }
    let job = WinogradCPUJob(self, g)
    switch direction {
    case .forward: return .winograd(stride: g.stride, sharesTiles: !job.hasSmallFilters)
    case .inputGradient:
      if job.hasWholeImages { return .winogradByImages(stride: g.stride) }
      return g.stride == 1 ? .winograd(stride: 1, sharesTiles: !job.hasSmallFilters) : nil
    case .weightGradient:
      return .winogradSums(stride: g.stride, sharesTiles: !WinogradCPUWeights(self, g).isGrouped)
    }
  }

  /// What computes one direction of a convolution, checked if it has not been; nil for the kernels of GPUs.
  /// - Throws: `.deviceUnavailable` if those are the only ones that fit local memory, and have failed their checks.
  func checkedKernels(
    _ direction: Convolution.Direction, _ g: ConvolutionGeometry
  ) throws -> CPUConvolutionKernels? {
    while kernelShape == .cpu {
      let kernels = cpuKernels(direction, g)
      // A check that fails changes the choice.
      if try beforeFirstUse(of: CPUConvolutionUse(direction, kernels)) { continue }
      guard kernels == .gpu else { return kernels }
      if isEnabled(KernelShape.gpu.rawValue) { return nil }
      throw TemperError(
        .deviceUnavailable, field: info.name, "has local memory for no kernel of \(g) that passes its check",
        remedy: "Update its driver (here \(info.driver)), or choose another --device.")
    }
    return nil
  }
}
