import Devices

/// What direct convolutions on CPU runtimes are compiled for; see `images_cpu.cl`.
extension OpenCL {
  /// Macros of the kernels of a layer: those of few channels share a program, others are as general as they can be.
  func directMacros(_ direction: Convolution.Direction, _ g: ConvolutionGeometry) -> [String: Int] {
    let short = forwardMacros(g)
    guard !short.isEmpty else { return direction == .weightGradient ? weightGradientMacros(g) : [:] }
    return short.merging(weightGradientMacros(g)) { $1 }
      .merging(usesGather(g) ? ["CHANNELS": g.c] : [:]) { $1 }
  }

  /// What the macros of a direct convolution make of it.
  func directForm(
    _ direction: Convolution.Direction, _ g: ConvolutionGeometry
  ) -> CPUConvolutionKernels.DirectForm {
    switch direction {
    case .weightGradient: return weightGradientMacros(g)["SEGMENT_TILE"] == nil ? .general : .oneTile
    case .forward: return form(forwardMacros(g))
    case .inputGradient:
      let taps = ((g.r - 1) / g.stride + 1, (g.s - 1) / g.stride + 1)
      return form(shortMacros(taps, stride: 1, channels: g.k, outputWidth: (g.w - 1) / g.stride + 1))
    }
  }

  private func form(_ macros: [String: Int]) -> CPUConvolutionKernels.DirectForm {
    macros["WEIGHTS_STAY"] != nil ? .weightsStay : macros["TILE_ROWS"] != nil ? .equalTiles : .general
  }

  private func forwardMacros(_ g: ConvolutionGeometry) -> [String: Int] {
    shortMacros((g.r, g.s), stride: g.stride, channels: g.c, outputWidth: g.outputWidth)
  }

  /// Macros of the weight gradient, also where one tile holds all weights of a row of taps, or of all of them.
  private func weightGradientMacros(_ g: ConvolutionGeometry) -> [String: Int] {
    let segment = g.s * g.c
    let place = readsGradientInPlace(g) ? ["IN_PLACE": 1] : [:]
    guard segment <= tileHeight else { return place }
    let together = g.r * segment <= tileHeight ? g.r : 1
    return place.merging([
      "SEGMENT": segment, "TAP_ROWS": g.r, "PIXEL": copiedStride(g.r, g.s, g.stride) * g.c,
      "TOGETHER": together,
      "SEGMENT_TILE": together * segment,
    ]) { $1 }
  }

  /// Macros of a convolution of few channels: unrolled taps, and tiles that are equally high.
  func shortMacros(
    _ taps: (rows: Int, columns: Int), stride: Int, channels: Int, outputWidth: Int
  ) -> [String: Int] {
    let segment = channels * taps.columns
    guard taps.rows > 0, (1...9).contains(segment) else { return [:] }
    let shared = [
      "SEGMENT": segment, "TAP_ROWS": taps.rows,
      "PIXEL": copiedStride(taps.rows, taps.columns, stride) * channels,
    ]
    if vectorWidth == 16, taps.rows * segment <= 12 { return shared.merging(["WEIGHTS_STAY": 1]) { $1 } }
    let highest = vectorWidth == 16 ? 14 : 6
    let tiles = max(1, (outputWidth + highest - 1) / highest)
    return shared.merging(["TILE_ROWS": (outputWidth + tiles - 1) / tiles]) { $1 }
  }
}
