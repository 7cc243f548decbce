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

  @Test(arguments: OpenCL.KernelShape.allCases)
  func goodKernelsPass(shape: OpenCL.KernelShape) throws {
    let device = try open(shape)
    try device.checkKernels { Issue.record("\($0)") }
    #expect(device.kernelShape == shape)
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
      try device.checkKernels { warnings.append($0) }
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
  @Test(arguments: ["winograd_filter_cpu", "winograd_cpu", "winograd_filter_gpu", "winograd_output_gpu"])
  func wrongWinogradIsGivenUpAlone(kernel: String) throws {
    let shape: OpenCL.KernelShape = kernel.hasSuffix("_gpu") ? .gpu : .cpu
    let device = try open(shape, wrong: kernel)
    var warnings: [String] = []
    try device.checkKernels { warnings.append($0) }
    #expect(warnings.count == 1 && warnings[0].contains("winograd kernels"), "\(warnings)")
    #expect(device.kernelShape == shape && device.isEnabled(shape.rawValue) && !device.isEnabled("winograd"))
    warnings = []
    try device.checkKernels { warnings.append($0) }
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

  /// Direct convolutions of many channels are checked right before the first of them; a wrong one makes way for the other
  /// shape, which that convolution then runs with.
  @Test(arguments: ["convolution_cpu", "convolution_weight_gradient_cpu"])
  func directConvolutionsAreCheckedBeforeTheirFirstUse(kernel: String) throws {
    let device = try open(.cpu, wrong: kernel)
    var warnings: [String] = []
    let late = KernelCheck.all.filter { $0.postponedUntil != nil }
    #expect(!late.isEmpty)
    try device.checkKernels(late) { warnings.append($0) }
    var random = Seeded(6)
    func gradients(channels: Int) throws -> Double {
      let g = try ConvolutionGeometry(
        images: [2, 6, 17, channels], weights: [3, 3, channels, 32], stride: channels == 1 ? 1 : 2, padding: 1
      )
      let (x, w) = (random.floats(g.imageShape.count), random.floats(g.weightShape.count))
      let dy = random.floats(g.outputShape.count)
      let (_, _, dw) = ConvolutionTests.references(g, x, w, dy)
      let result = try Convolution.gradients(
        Tensor(x, shape: g.imageShape, on: .openCL(device)),
        Tensor(w, shape: g.weightShape, on: .openCL(device)),
        Tensor(dy, shape: g.outputShape, on: .openCL(device)), g)
      return zip(try result.w.floats(), dw.values).map { abs(Double($0) - $1) }.max()!
    }
    _ = try gradients(channels: 1)
    #expect(warnings.isEmpty && device.kernelShape == .cpu, "few channels need no check: \(warnings)")
    #expect(try gradients(channels: 12) < 1e-4)
    #expect(warnings.count == 1 && warnings[0].contains("many channels"), "\(warnings)")
    #expect(device.kernelShape == .gpu)
  }

  /// So are the input gradients of few channels that most networks do without.
  @Test(arguments: [("convolution_scatter_cpu", 8), ("convolution_gather_cpu:CHANNELS=3", 32)])
  func inputGradientsOfFirstLayersAreChecked(kernel: String, outputs: Int) throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .cpu, vectorWidth: 16, cache: nil,
      faults: FaultInjection("wrong:" + kernel))
    var warnings: [String] = []
    try device.checkKernels(KernelCheck.all.filter { $0.postponedUntil != nil }) { warnings.append($0) }
    let g = try ConvolutionGeometry(
      images: [2, 5, 17, 3], weights: [3, 3, 3, outputs], stride: 1, padding: 1)
    var random = Seeded(7)
    let (x, w) = (random.floats(g.imageShape.count), random.floats(g.weightShape.count))
    let dy = random.floats(g.outputShape.count)
    let result = try Convolution.gradients(
      Tensor(x, shape: g.imageShape, on: .openCL(device)),
      Tensor(w, shape: g.weightShape, on: .openCL(device)),
      Tensor(dy, shape: g.outputShape, on: .openCL(device)), g)
    let (_, dx, _) = ConvolutionTests.references(g, x, w, dy)
    #expect(zip(try result.x.floats(), dx.values).allSatisfy { abs(Double($0) - $1) < 1e-4 })
    #expect(warnings.count == 1 && device.kernelShape == .gpu, "\(warnings)")
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
