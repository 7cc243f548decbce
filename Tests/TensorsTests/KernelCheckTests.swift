import Devices
import FileFormats
import Foundation
import TestSupport
import Tensors
import Testing

@Suite(
  .enabled(if: !OpenCLDeviceInfo.all.isEmpty && !isUnderOclgrind, "SKIPPED: kernel checks: no OpenCL device"))
struct KernelCheckTests {
  private func open(
    _ shape: OpenCL.KernelShape, _ cache: ProgramCache? = nil, wrong kernel: String? = nil
  ) throws -> OpenCL {
    try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: shape, cache: cache,
      faults: kernel.map { FaultInjection(.wrong(kernel: $0)) })
  }

  /// Every check, made at once.
  private static let all = KernelCheck.all.map {
    KernelCheck($0.name, variant: $0.variant, shape: $0.shape, reaches: $0.reaches, passes: $0.passes)
  }

  @Test(arguments: OpenCL.KernelShape.allCases)
  func goodKernelsPass(shape: OpenCL.KernelShape) throws {
    let device = try open(shape)
    try device.checkKernels(Self.all) { Issue.record("\($0)") }
    #expect(device.kernelShape == shape)
  }

  /// A network without convolutions waits for no check of them on a CPU runtime; names of checks are keys of the cache.
  @Test func convolutionsOfCPURuntimesAreCheckedWhenNeeded() throws {
    let checks = KernelCheck.all.filter { $0.shape == .cpu }
    #expect(checks.filter { $0.waitsFor == nil }.map(\.name) == ["matrix product", "long sum"])
    #expect(Set(checks.map(\.name)).count == checks.count)
    #expect(Set(checks.compactMap(\.waitsFor)).count == checks.count - 2)
  }

  /// Kilobytes of local memory of CPU runtimes: the least that OpenCL allows, that of Intel's (256), and what is plenty.
  private static let localMemories = [32, 64, 128, 256, 8192]

  /// A CPU runtime with so much local memory.
  private func open(kilobytes: Int, vectorWidth: Int) throws -> OpenCL {
    var info = OpenCLDeviceInfo.all[0]
    info.localMemory = kilobytes << 10
    return try OpenCL(info, kernelShape: .cpu, vectorWidth: vectorWidth, cache: nil)
  }

  /// Whatever computes a convolution on a CPU runtime has a check.
  @Test(arguments: [4, 8, 16], localMemories)
  func everyChoiceHasACheck(vectorWidth: Int, kilobytes: Int) throws {
    let device = try open(kilobytes: kilobytes, vectorWidth: vectorWidth)
    let checks = try KernelCheck.all.filter { try $0.shape == .cpu && $0.reaches(device) }
    let checked = Set(checks.compactMap(\.waitsFor))
    var random = Seeded(9)
    var chosen: Set<CPUConvolutionUse> = []
    for _ in 0..<3000 {
      func pick(_ values: [Int]) -> Int { values.randomElement(using: &random)! }
      let (extent, size, c) = (
        pick([3, 4, 8, 17, 32, 224]), pick([1, 3, 5]), pick([1, 2, 3, 4, 5, 16, 64, 128, 512])
      )
      let g = try ConvolutionGeometry(
        images: [pick([1, 3, 128]), extent, extent + pick([0, 1, 5]), c],
        weights: [size, pick([size, 3]), c, pick([1, 3, 8, 16, 32, 48, 64, 128, 512])],
        stride: pick([1, 2]), padding: size / 2)
      let algorithm = [nil, ConvolutionAlgorithm.direct, .winograd].randomElement(using: &random)!
      for direction in Convolution.Direction.allCases {
        let kernels = ConvolutionAlgorithm.$forced.withValue(algorithm) { device.cpuKernels(direction, g) }
        let use = CPUConvolutionUse(direction, kernels)
        #expect(kernels == .product || checked.contains(use), "\(use) for \(g)")
        chosen.insert(use)
      }
    }
    let unused = checked.subtracting(chosen)
    #expect(unused.allSatisfy { $0.kernels == .gpu }, "the search reaches what is checked: \(unused)")
  }

  /// What does not fit local memory is done in smaller parts or in another way. Launches of more fail.
  @Test(arguments: [(32, 16), (64, 16), (256, 16), (64, 8)])
  func convolutionsFitLocalMemory(kilobytes: Int, vectorWidth: Int) throws {
    let device = try open(kilobytes: kilobytes, vectorWidth: vectorWidth)
    let layers = [
      (1, 32, 1), (3, 64, 1), (16, 16, 1), (32, 64, 1), (64, 64, 1), (128, 160, 1), (16, 32, 2), (64, 128, 2),
      (160, 128, 2),
    ]
    for (c, k, stride) in layers {
      let g = try ConvolutionGeometry(
        images: [3, 18, 33, c], weights: [3, 3, c, k], stride: stride, padding: 1)
      for direction in Convolution.Direction.allCases {
        let error = try ConvolutionAlgorithm.$forced.withValue(.winograd) {
          try ConvolutionError(g).largest(direction, on: .openCL(device))
        }
        #expect(error < 1e-4, "\(direction) of \(g)")
      }
    }
    // Blocks of tiles of a weight gradient that fewer than wished fit.
    let g = try ConvolutionGeometry(images: [8, 64, 64, 16], weights: [3, 3, 16, 16], stride: 2, padding: 1)
    let error = try ConvolutionAlgorithm.$forced.withValue(.winograd) {
      try ConvolutionError(g).largest(.weightGradient, on: .openCL(device))
    }
    #expect(error < 1e-4)
    let usesWinograd =
      try device.cpuKernels(
        .forward,
        ConvolutionGeometry(images: [8, 32, 32, 128], weights: [3, 3, 128, 128], stride: 1, padding: 1))
      == .winograd(stride: 1, sharesTiles: true)
    #expect(usesWinograd == (kilobytes >= 64))
  }

  /// Each kernel of a product or convolution that computes one wrong number is found, and the other shape is used.
  @Test(arguments: OpenCL.KernelShape.allCases)
  func wrongKernelsAreFound(shape: OpenCL.KernelShape) throws {
    let kernels = KernelSources.familyOfKernel.filter { _, family in
      family.hasSuffix("_\(shape)") && (family.hasPrefix("matmul_") || family.hasPrefix("convolution_"))
    }
    #expect(kernels.count >= 2)
    var launched = 0
    for kernel in kernels.keys.sorted() {
      let device = try open(shape, wrong: kernel)
      var warnings: [String] = []
      try device.checkKernels(Self.all) { warnings.append($0) }
      // A kernel that serves large shapes only does not run at these.
      guard !warnings.isEmpty else { continue }
      launched += 1
      #expect(device.kernelShape != shape && !device.isEnabled(shape.rawValue), "\(kernel)")
      #expect(warnings.count == 1 && warnings[0].contains("computes wrong results"), "\(warnings)")
      let c = try matmul(
        Tensor([1.0, 2] as [Float], shape: [1, 2], on: .openCL(device)),
        Tensor([3.0, 4] as [Float], shape: [2, 1], on: .openCL(device)))
      #expect(try c.floats() == [11])
    }
    #expect(launched >= 2)
  }

  /// So do the checks of a deep and of a large product alone.
  @Test(arguments: OpenCL.KernelShape.allCases, ["long sum", "large matrix product"])
  func wrongProductsAreFound(shape: OpenCL.KernelShape, name: String) throws {
    let device = try open(shape, wrong: "matmul_\(shape)")
    let checks = Self.all.filter { $0.name == name && $0.shape == shape }
    var warnings: [String] = []
    try device.checkKernels(checks) { warnings.append($0) }
    #expect(warnings.count == checks.count && device.isEnabled("\(shape)") == checks.isEmpty)
    #expect(checks.count == (shape == .gpu || name == "long sum" ? 1 : 0))
  }

  /// As is a wrong kernel of a reduction on a GPU.
  @Test(arguments: [
    "batch_norm_groups_gpu", "batch_norm_statistics", "batch_norm_apply", "batch_norm_gradient_groups_gpu",
    "batch_norm_input_gradient", "cross_entropy", "sum_all",
  ])
  func wrongReductionsAreFound(kernel: String) throws {
    let device = try open(.gpu, wrong: kernel)
    var warnings: [String] = []
    try device.checkKernels(Self.all.filter { $0.name == "batch norm and cross-entropy" }) {
      warnings.append($0)
    }
    #expect(warnings.count == 1 && device.kernelShape == .cpu, "\(warnings)")
  }

  /// The reason of the last failure is said before the device is given up.
  @Test func deviceWithoutGoodKernelsIsRefused() throws {
    let device = try open(.cpu, wrong: "matmul_cpu")
    try device.disable(OpenCL.KernelShape.gpu.rawValue)
    var warnings: [String] = []
    let error = #expect(throws: TemperError.self) { try device.checkKernels { warnings.append($0) } }
    #expect(error?.kind == .deviceUnavailable && error?.message.contains("every shape") == true)
    #expect(warnings.count == 1 && warnings[0].contains("computes wrong results"), "\(warnings)")
  }

  /// A wrong kernel of Winograd's algorithm leaves the shape in use and its direct convolutions.
  @Test(arguments: [
    "winograd_filter_cpu", "winograd_cpu", "winograd_multiply_cpu", "winograd_filter_gpu",
    "winograd_output_gpu",
  ])
  func wrongWinogradIsGivenUpAlone(kernel: String) throws {
    let shape: OpenCL.KernelShape = kernel.hasSuffix("_gpu") ? .gpu : .cpu
    let device = try open(shape, wrong: kernel)
    var warnings: [String] = []
    let checks = Self.all.filter { !$0.name.contains("stride 2") }
    try device.checkKernels(checks) { warnings.append($0) }
    #expect(warnings.count == 1 && warnings[0].contains("winograd kernels"), "\(warnings)")
    #expect(device.kernelShape == shape && device.isEnabled(shape.rawValue) && !device.isEnabled("winograd"))
    warnings = []
    try device.checkKernels(checks) { warnings.append($0) }
    #expect(warnings.isEmpty, "given up for good: \(warnings)")
  }

  /// Passing is remembered per driver, shape and checks; failing is not.
  @Test func passingIsRemembered() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder)
      let runs = Runs()
      let check = KernelCheck("counted", variant: "tiles") { _ in
        runs.count += 1
        return runs.passes
      }
      func run() throws -> (enabled: Bool, warnings: Int) {
        let device = try open(.cpu, cache)
        var warnings = 0
        // Twice: what was given up at first must not pass for good.
        for _ in 0..<2 { try device.checkKernels([check]) { _ in warnings += 1 } }
        return (device.isEnabled("tiles"), warnings)
      }
      runs.passes = false
      for count in 1...2 {
        let (isEnabled, warnings) = try run()
        #expect(!isEnabled && warnings == 1)
        #expect(runs.count == count)
      }
      runs.passes = true
      for _ in 0..<2 {
        let (isEnabled, warnings) = try run()
        #expect(isEnabled && warnings == 0)
      }
      #expect(runs.count == 3)
      try open(.gpu, cache).checkKernels([check]) { _ in }
      #expect(runs.count == 4, "the other shape")
    }
  }

  /// Each kind of convolution is checked right before the first of it; a wrong one makes way for the other shape or a direct
  /// convolution, with which this one then runs.
  @Test(arguments: [
    ("convolution_cpu", 12, 32, 2, ConvolutionAlgorithm.direct),
    ("convolution_weight_gradient_cpu", 12, 32, 2, .direct),
    ("convolution_weight_gradient_cpu", 3, 32, 1, .direct),
    ("convolution_scatter_cpu", 3, 8, 1, .direct),
    ("convolution_gather_cpu:CHANNELS=3", 3, 32, 1, .direct),
    ("winograd_gradient_cpu", 16, 32, 1, .winograd),
    ("winograd_weight_finish_cpu", 16, 32, 1, .winograd),
    ("winograd_cpu:STRIDE=2", 16, 32, 2, .winograd),
    ("winograd_colors_cpu", 3, 32, 1, .winograd),
    ("winograd_colors_weight_cpu", 3, 32, 1, .winograd),
    ("winograd_weight_multiply_cpu", 64, 128, 1, .winograd),
    ("winograd_multiply_cpu", 128, 160, 1, .winograd),
  ])
  func convolutionsAreCheckedBeforeTheirFirstUse(
    kernel: String, channels: Int, outputs: Int, stride: Int, algorithm: ConvolutionAlgorithm
  ) throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .cpu, vectorWidth: 16, cache: nil,
      faults: FaultInjection("wrong:" + kernel))
    var warnings: [String] = []
    try device.checkKernels { warnings.append($0) }
    func error(_ channels: Int, _ outputs: Int, _ stride: Int) throws -> Double {
      let g = try ConvolutionGeometry(
        images: [2, 6, 17, channels], weights: [3, 3, channels, outputs], stride: stride, padding: 1)
      return try ConvolutionAlgorithm.$forced.withValue(algorithm) {
        try Convolution.Direction.allCases.map {
          try ConvolutionError(g).largest($0, on: .openCL(device))
        }.max()!
      }
    }
    if algorithm == .winograd {
      #expect(try error(1, 32, 1) < 1e-4)
      #expect(warnings.isEmpty, "nothing wrong was used")
    }
    #expect(try error(channels, outputs, stride) < 1e-4)
    #expect(warnings.count == 1 && warnings[0].contains("computes wrong results"), "\(warnings)")
    #expect(device.kernelShape == (algorithm == .direct ? .gpu : .cpu))
  }

  /// Kernels that macros specialise are checked as such, at each width.
  @Test(arguments: [8, 16])
  func specialisedKernelsAreChecked(vectorWidth: Int) throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .cpu, vectorWidth: vectorWidth, cache: nil,
      faults: FaultInjection("wrong:convolution_cpu:SEGMENT=9"))
    var warnings: [String] = []
    try device.checkKernels { warnings.append($0) }
    let g = try ConvolutionGeometry(images: [2, 6, 17, 3], weights: [3, 3, 3, 32], stride: 1, padding: 1)
    let error = try ConvolutionAlgorithm.$forced.withValue(.direct) {
      try ConvolutionError(g).largest(.forward, on: .openCL(device))
    }
    #expect(error < 1e-4)
    #expect(warnings.count == 1 && device.kernelShape == .gpu, "\(warnings)")
  }

  /// Memory that runs out and a device that is lost in a check are no fault of the kernels.
  @Test(arguments: ["allocation:3", "launch:convolution_cpu:1", "event:convolution_cpu:1"])
  func otherFailuresOfChecksAreReported(fault: String) throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .cpu, cache: nil, faults: FaultInjection(fault))
    var warnings: [String] = []
    try device.checkKernels(KernelCheck.all.filter { $0.waitsFor != nil }) { warnings.append($0) }
    var random = Seeded(8)
    let x = try Tensor(random.floats(2 * 8 * 8 * 20), shape: [2, 8, 8, 20], on: .openCL(device))
    let w = try Tensor(random.floats(9 * 20 * 32), shape: [3, 3, 20, 32], on: .openCL(device))
    let error = #expect(throws: TemperError.self) {
      try ConvolutionAlgorithm.$forced.withValue(.direct) { try conv2d(x, w).floats() }
    }
    let expected = fault.hasPrefix("allocation") ? "has no room" : "CL_DEVICE_NOT_AVAILABLE"
    #expect(error?.message.contains(expected) == true, "\(error.map { "\($0)" } ?? "")")
    #expect(warnings.isEmpty && device.kernelShape == .cpu, "\(warnings)")
  }

  /// A convolution with a pool inside has no other gradient: those that are wanted are checked before it is chosen.
  @Test func pooledConvolutionsAreCheckedWhole() throws {
    let device = try open(.cpu, wrong: "winograd_gradient_cpu")
    var warnings: [String] = []
    try device.checkKernels { warnings.append($0) }
    var random = Seeded(8)
    let x = try Tensor(random.floats(2 * 8 * 8 * 16), shape: [2, 8, 8, 16], on: .openCL(device))
    let w = try Tensor(random.floats(9 * 16 * 32), shape: [3, 3, 16, 32], on: .openCL(device))
    func convolve(_ x: Tensor) throws -> Tensor {
      try ConvolutionAlgorithm.$forced.withValue(.winograd) { try conv2dMaxPooled(x, w, padding: 1) }
    }
    _ = try convolve(x)
    #expect(warnings.isEmpty, "no gradient is wanted: \(warnings)")
    _ = try valueWithGradient(at: x) { try sum(convolve($0)) }
    #expect(warnings.count == 1 && !device.isEnabled("winograd"), "\(warnings)")
  }

  @Test func kernelsThatDoNotCompileAreGivenUp() throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .gpu, cache: nil,
      faults: FaultInjection(.build(family: "matmul_gpu")))
    var warnings: [String] = []
    try device.checkKernels { warnings.append($0) }
    #expect(device.kernelShape == .cpu && warnings.count == 1 && warnings[0].contains("matmul_gpu.cl"))
  }
}

private final class Runs: @unchecked Sendable {
  var count = 0
  var passes = true
}
