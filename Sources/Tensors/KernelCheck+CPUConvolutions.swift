import Devices

extension KernelCheck {
  /// Checks of convolutions on CPU runtimes, which compile slowly: each waits for the first use of its kernels.
  static let cpuConvolutions: [KernelCheck] =
    [
      cpuCheck(.forward, .winograd(stride: 1, sharesTiles: false), winograd),
      cpuCheck(.forward, .winograd(stride: 1, sharesTiles: true), winograd),
      cpuCheck(.forward, .winograd(stride: 2, sharesTiles: false), stridedWinograd),
      cpuCheck(.forward, .winograd(stride: 2, sharesTiles: true), stridedWinograd),
      cpuCheck(.forward, .winogradOfColors, [(3, 48, 1)]),
      cpuCheck(.forward, .direct(.weightsStay), [(1, 64, 1)]),
      cpuCheck(.forward, .direct(.equalTiles), [(3, 35, 1)]),

      cpuCheck(.inputGradient, .winograd(stride: 1, sharesTiles: true), winograd),
      cpuCheck(.inputGradient, .winogradByImages(stride: 1), winograd),
      cpuCheck(.inputGradient, .winogradByImages(stride: 2), stridedWinograd),
      cpuCheck(.inputGradient, .gathered(channels: 1), [(1, 64, 1)]),
      cpuCheck(.inputGradient, .gathered(channels: 3), [(3, 64, 1)]),
      cpuCheck(.inputGradient, .scattered, [(1, 35, 1)]),
      cpuCheck(.inputGradient, .direct(.weightsStay), [(35, 1, 1)]),
      cpuCheck(.inputGradient, .direct(.equalTiles), [(35, 3, 1)]),

      cpuCheck(.weightGradient, .winogradSums(stride: 1, sharesTiles: false), winograd),
      cpuCheck(.weightGradient, .winogradSums(stride: 1, sharesTiles: true), winograd),
      cpuCheck(.weightGradient, .winogradSums(stride: 2, sharesTiles: false), stridedWinograd),
      cpuCheck(.weightGradient, .winogradSums(stride: 2, sharesTiles: true), stridedWinograd),
      cpuCheck(.weightGradient, .winogradOfColors, [(3, 48, 1)]),
      cpuCheck(.weightGradient, .direct(.oneTile), [(1, 64, 1)]),
    ]
    + Convolution.Direction.allCases.flatMap {
      [cpuCheck($0, .direct(.general), manyChannels), cpuCheck($0, .gpu, fewChannels + manyChannels)]
    }

  private static let winograd: [Layer] = [(16, 35, 1), (16, 16, 1)]
  private static let stridedWinograd: [Layer] = [(16, 35, 2), (16, 16, 2)]

  /// A check of those layers that the kernels are chosen for, of few outputs and of small images where local memory is small.
  private static func cpuCheck(
    _ direction: Convolution.Direction, _ kernels: CPUConvolutionKernels, _ layers: [Layer]
  ) -> KernelCheck {
    @Sendable func reached(_ device: OpenCL) throws -> [ConvolutionGeometry] {
      var geometries = try layers.map { try geometry($0) }
      if case .winogradByImages = kernels {
        geometries += try layers.map { try geometry($0, height: 4, width: 4) }
      }
      guard kernels != .gpu else { return geometries }
      return kernels.forced { geometries.filter { device.cpuKernels(direction, $0) == kernels } }
    }
    return KernelCheck(
      "convolution, \(direction.rawValue), \(kernels)", variant: kernels.variant, shape: .cpu,
      waitsFor: CPUConvolutionUse(direction, kernels)
    ) { device in
      try !reached(device).isEmpty
    } passes: { device in
      let geometries = try reached(device)
      return try kernels.forced {
        guard kernels == .gpu else { return try convolution(direction, geometries, on: .openCL(device)) }
        return try device.withGPUKernels { try convolution(direction, geometries, on: .openCL(device)) }
      }
    }
  }
}

extension CPUConvolutionKernels {
  /// What a failed check of them disables.
  fileprivate var variant: String {
    switch self {
    case .winograd(let stride, _), .winogradByImages(let stride), .winogradSums(let stride, _):
      stride == 1 ? "winograd" : OpenCL.stridedWinograd
    case .winogradOfColors: "winograd"
    case .gpu: OpenCL.KernelShape.gpu.rawValue
    case .product, .direct, .gathered, .scattered: OpenCL.KernelShape.cpu.rawValue
    }
  }

  /// Runs `body` where these kernels are chosen for a small layer.
  fileprivate func forced<R>(_ body: () throws -> R) rethrows -> R {
    let algorithm: ConvolutionAlgorithm
    var largestFilter = 1 << 14
    switch self {
    case .winograd(_, let sharesTiles), .winogradSums(_, let sharesTiles):
      algorithm = .winograd
      if sharesTiles { largestFilter = 0 }
    case .winogradByImages, .winogradOfColors: algorithm = .winograd
    case .product, .direct, .gathered, .scattered, .gpu: algorithm = .direct
    }
    return try WinogradSchedule.$largestFilterPerTask.withValue(largestFilter) {
      try ConvolutionAlgorithm.$forced.withValue(algorithm, operation: body)
    }
  }
}

extension CPUConvolutionKernels: CustomStringConvertible {
  /// As in messages.
  package var description: String {
    switch self {
    case .product: "a product"
    case .winograd(let stride, let sharesTiles), .winogradSums(let stride, let sharesTiles):
      "Winograd's of stride \(stride)" + (sharesTiles ? " with shared tiles" : "")
    case .winogradByImages(let stride): "Winograd's of stride \(stride), transposed"
    case .winogradOfColors: "Winograd's of three channels"
    case .direct(.general): "direct"
    case .direct(.weightsStay): "direct with weights in registers"
    case .direct(.equalTiles): "direct with equal tiles"
    case .direct(.oneTile): "direct with one tile"
    case .gathered(let channels): "of a first layer with \(channels) channels"
    case .scattered: "of a first layer, scattered"
    case .gpu: "with the kernels of GPUs"
    }
  }
}
