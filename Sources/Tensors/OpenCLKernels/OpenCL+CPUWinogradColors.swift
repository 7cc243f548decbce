import Devices

/// Winograd's algorithm for first layers on images of three channels; see `winograd_colors_cpu.cl`.
extension OpenCL {
  /// The rule of ``ConvolutionGeometry/prefersWinogradOfColors``, where a column of filters fits the registers.
  func usesWinogradOfColors(_ g: ConvolutionGeometry) -> Bool {
    isEnabled("winograd") && vectorWidth == 16 && g.prefersWinogradOfColors && g.k % vectorWidth == 0
      && fits(stripFloats(g))
  }

  /// y = conv(x, weights) + bias, then ReLU.
  func convolveColors(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?, relu: Bool, into y: Tensor
  ) throws {
    let extents = [g.h, g.w, g.outputHeight, g.outputWidth, g.k, g.padding]
    try launchTasks(
      "winograd_colors_cpu",
      extents.map { .int($0) } + [
        .buffer(x.buffer), .buffer(try winogradFilters(weights, .forward, g)), .optional(bias?.buffer),
        finish(g.outputShape, relu: relu), .buffer(y.buffer),
      ], tasks: [g.n], scratch: stripFloats(g), flops: g.operations)
  }

  /// dW from x and dy, summed over at most 16 groups of images.
  func weightGradientOfColors(_ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor) throws {
    let groups = max(1, min(16, g.n))
    let sums = try winogradSums(g, groups: groups)
    let extents = [g.n, g.h, g.w, g.outputHeight, g.outputWidth, g.k, g.padding]
    try launchTasks(
      "winograd_colors_weight_cpu",
      extents.map { .int($0) } + [.buffer(x.buffer), .buffer(dy.buffer), .buffer(sums)], tasks: [groups],
      scratch: stripFloats(g), flops: g.operations)
    try finishWinogradSums(sums, groups: groups, g, into: dw)
  }

  /// Local memory for a strip of 8 tiles, 24 vectors each, their 144 values of the images, and an image with its padding.
  private func stripFloats(_ g: ConvolutionGeometry) -> Int {
    let tiles = WinogradTiles(g)
    return 8 * (24 * vectorWidth + 144) + (4 * tiles.down + 2) * (4 * tiles.across + 2) * g.c
  }
}
