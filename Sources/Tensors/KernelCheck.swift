import Devices
import FileFormats
import Randomness

/// A comparison of kernels with plain loops on the host, at shapes so small that it takes milliseconds. A driver
/// that compiles a kernel wrongly is found by it before the kernel is used.
///
/// To check a kernel, add to ``all``. A kernel that has a slower one beside it names its `variant` and is used only
/// where `openCL.isEnabled(variant)`.
package struct KernelCheck: Sendable {
  /// What is checked, for messages and as part of what is remembered.
  package let name: String
  /// What is given up when the check fails: a kernel shape (`gpu`, `cpu`), or a name that the host code asks
  /// `openCL.isEnabled` for.
  package let variant: String
  /// The kernel shape that it runs with; nil for any.
  package let shape: OpenCL.KernelShape?
  /// What is to be used first on a device, see `openCL.beforeFirstUse(of:)`; nil for a check that is made at once.
  package let postponedUntil: @Sendable (OpenCL) throws -> String?
  /// Whether the results are right.
  package let passes: @Sendable (OpenCL) throws -> Bool

  package init(
    _ name: String, variant: String, shape: OpenCL.KernelShape? = nil,
    postponedUntil: @escaping @Sendable (OpenCL) throws -> String? = { _ in nil },
    passes: @escaping @Sendable (OpenCL) throws -> Bool
  ) {
    (self.name, self.variant, self.shape) = (name, variant, shape)
    (self.postponedUntil, self.passes) = (postponedUntil, passes)
  }

  /// Every check: products and direct convolutions of both shapes and of matrix units, without and with asynchronous
  /// copies, and Winograd's algorithm. CPU runtimes compile slowly: their convolutions are checked when they are needed.
  package static let all: [KernelCheck] =
    OpenCL.KernelShape.allCases.map { shape in
      KernelCheck("matrix product", variant: shape.rawValue, shape: shape) { try product(on: .openCL($0)) }
    }
    + Convolution.Direction.allCases.flatMap { direction in
      [
        KernelCheck(
          "convolution, \(direction.rawValue)", variant: OpenCL.KernelShape.gpu.rawValue, shape: .gpu
        ) {
          try convolution(direction, fewChannels + manyChannels, on: .openCL($0))
        },
        KernelCheck("convolution, \(direction.rawValue)", variant: "winograd", shape: .gpu) {
          try convolution(direction, [(16, 35, 1)], .winograd, on: .openCL($0))
        },
        cpuCheck(direction, fewChannels),
        cpuCheck(direction, manyChannels),
        cpuCheck(direction, [(16, 35, 1)], .winograd, variant: "winograd"),
        cpuCheck(direction, [(16, 35, 1)], .winograd, largestFilter: 0, variant: "winograd"),
        cpuCheck(direction, [(16, 35, 2)], .winograd, variant: OpenCL.stridedWinograd),
      ]
    }
    // What their input gradients use is above or direct.
    + [Convolution.Direction.forward, .weightGradient].flatMap { direction in
      [
        cpuCheck(direction, [(3, 48, 1)], .winograd, variant: "winograd"),
        cpuCheck(direction, [(16, 35, 2)], .winograd, largestFilter: 0, variant: OpenCL.stridedWinograd),
      ]
    }
    + firstLayers.map { cpuCheck(.inputGradient, [$0]) }
    + [OpenCL.matrixVariant, OpenCL.asynchronousVariant].flatMap { variant in
      let copies = variant == OpenCL.asynchronousVariant
      return [
        KernelCheck("matrix product", variant: variant) { try matrixUnitProduct(on: $0, copies: copies) }
      ]
        + Convolution.Direction.allCases.map { direction in
          KernelCheck("convolution, \(direction.rawValue)", variant: variant) {
            // Copies of 4, 8 and 16 bytes.
            let copied = [(2, 64, 1), (20, 36, 1), ($0.precision == .tf32 ? 5 : 8, 40, 2)]
            return try convolution(direction, copies ? copied : fewChannels + manyChannels, on: .openCL($0))
          }
        }
    }

  /// Largest error relative to the largest value; rounding stays a hundred times below.
  private static let tolerance = 1e-4

  /// Products of the largest and the smallest tile. The bound is so narrow that operands must be rounded as they should be:
  /// those of tf32 differ by 2^-12 of themselves from others. Copies get extents that vectors divide, and several times as
  /// many slices as they have places for.
  private static func matrixUnitProduct(on device: OpenCL, copies: Bool) throws -> Bool {
    let tiles = ProductTile.shipped(for: .nvidia, device.precision, copies: copies).filter {
      $0.fits(device.info)
    }
    let extents = copies ? [(40, 72, 304), (38, 70, 302)] : [(37, 70, 45), (37, 70, 45)]
    return try zip([tiles.first, tiles.last], extents).allSatisfy { tile, extents in
      try ProductPlan.$forced.withValue(tile.map { ProductPlan(tile: $0) }) {
        try product(extents, on: .openCL(device), tolerance: 2e-6)
      }
    }
  }

  private static func product(
    _ extents: (Int, Int, Int) = (37, 70, 45), on device: Device, tolerance: Double = tolerance
  ) throws -> Bool {
    let (m, n, k) = extents
    let rounded = device.precision.rounded
    var stream = RandomStream(seed: 1, purpose: .weights)
    let a = (0..<m * k).map { _ in 2 * stream.nextUniform() - 1 }
    let b = (0..<k * n).map { _ in 2 * stream.nextUniform() - 1 }
    for (transposeA, transposeB) in [(false, false), (true, false), (false, true)] {
      let c = try MatMul(transposeA: transposeA, transposeB: transposeB)(
        Tensor(a, shape: transposeA ? [k, m] : [m, k], on: device),
        Tensor(b, shape: transposeB ? [n, k] : [k, n], on: device)
      ).floats()
      for i in 0..<m {
        for j in 0..<n {
          let exact = (0..<k).reduce(0.0) { sum, p in
            let (left, right) = (a[transposeA ? p * m + i : i * k + p], b[transposeB ? j * k + p : p * n + j])
            return sum + Double(rounded(left)) * Double(rounded(right))
          }
          // The sum of absolute products is at most k. A NaN fails as well.
          guard abs(Double(c[i * n + j]) - exact) <= tolerance * Double(k) else { return false }
        }
      }
    }
    return true
  }

  /// Channels, outputs and stride of convolutions: first layers take kernels of their own.
  private typealias Layer = (channels: Int, outputs: Int, stride: Int)
  private static let fewChannels: [Layer] = [(1, 64, 1)]
  private static let manyChannels: [Layer] = [(19, 35, 1), (5, 35, 2)]
  /// More of first layers, whose input gradients CPU runtimes scatter, or sum over lanes with three channels.
  private static let firstLayers: [Layer] = [(1, 35, 1), (3, 64, 1)]

  /// A check of one direction on CPU runtimes, which waits for the first convolution that is computed in the same way.
  /// - Parameter largestFilter: see `WinogradSchedule.largestFilterPerTask`.
  private static func cpuCheck(
    _ direction: Convolution.Direction, _ layers: [Layer], _ algorithm: ConvolutionAlgorithm = .direct,
    largestFilter: Int = WinogradSchedule.largestFilterPerTask,
    variant: String = OpenCL.KernelShape.cpu.rawValue
  ) -> KernelCheck {
    let (channels, outputs, stride) = layers[0]
    let name =
      "convolution, \(direction.rawValue), \(channels) to \(outputs) channels, stride \(stride)"
      + (largestFilter == 0 ? ", as large filters" : "")
    return KernelCheck(name, variant: variant, shape: .cpu) { device in
      try WinogradSchedule.$largestFilterPerTask.withValue(largestFilter) {
        try ConvolutionAlgorithm.$forced.withValue(algorithm) {
          device.nameOfCheck(direction, try geometry(layers[0]))
        }
      }
    } passes: { device in
      try WinogradSchedule.$largestFilterPerTask.withValue(largestFilter) {
        try convolution(direction, layers, algorithm, on: .openCL(device))
      }
    }
  }

  private static func convolution(
    _ direction: Convolution.Direction, _ layers: [Layer], _ algorithm: ConvolutionAlgorithm = .direct,
    on device: Device
  ) throws -> Bool {
    try ConvolutionAlgorithm.$forced.withValue(algorithm) {
      try layers.allSatisfy { layer in
        let error = try ConvolutionError(geometry(layer), rounded: device.precision)
          .largest(direction, on: device)
        return error <= tolerance
      }
    }
  }

  private static func geometry(_ layer: Layer) throws -> ConvolutionGeometry {
    try ConvolutionGeometry(
      images: [2, 9, 18, layer.channels], weights: [3, 3, layer.channels, layer.outputs],
      stride: layer.stride, padding: 1)
  }
}

extension OpenCL {
  /// Checks the kernels in use, some of them only before their first use, unless they have passed with this driver before.
  /// What fails is disabled: with a kernel shape the other one takes its place, and is checked too.
  /// - Parameters:
  ///   - progress: called before each check with the number of those done and of all.
  ///   - warn: called with a sentence about each check that failed.
  /// - Throws: `.deviceUnavailable` if no kernel shape passes.
  package func checkKernels(
    _ checks: [KernelCheck] = KernelCheck.all, progress: (Int, Int) -> Void = { _, _ in },
    warn: @escaping (String) -> Void
  ) throws {
    let wanted = checks.filter(isInUse)
    let shape = kernelShape
    var now: [KernelCheck] = []
    for check in wanted {
      guard let name = try check.postponedUntil(self) else {
        now.append(check)
        continue
      }
      postpone(until: name) { [unowned self] in
        guard kernelShape == shape else { return }
        try run([check], progress: { _, _ in }, warn: warn)
        if kernelShape != shape { try checkKernels(checks, warn: warn) }
      }
    }
    try run(now, progress: progress, warn: warn)
    if kernelShape != shape { try checkKernels(checks, progress: progress, warn: warn) }
  }

  /// Runs checks that have not passed before; ends when another kernel shape takes the place of the one in use.
  private func run(
    _ checks: [KernelCheck], progress: (Int, Int) -> Void, warn: (String) -> Void
  ) throws {
    let key =
      ["kernel checks", kernelShape.rawValue, precision.rawValue] + checks.map(\.name) + info.identity
      + [KernelSources.digest]
    if cache?.binary(for: key) != nil { return }
    let shape = kernelShape
    for (index, check) in checks.enumerated() where isEnabled(check.variant) && isInUse(check) {
      progress(index, checks.count)
      guard let reason = failure(of: check) else { continue }
      warn("\(check.name), \(check.variant) kernels, \(reason) on \(info.name); it is not used")
      try disable(check.variant)
      if kernelShape != shape { return }
    }
    if disabledVariants.isEmpty { cache?.store([], for: key) }
  }

  /// What is wrong, or nil.
  private func failure(of check: KernelCheck) -> String? {
    do {
      let needsUnits = [Self.matrixVariant, Self.asynchronousVariant].contains(check.variant)
      let passes = try withPrecision(needsUnits ? precision : .fp32) {
        // Matrix units are checked without the copies, which have checks of their own.
        try check.variant == Self.matrixVariant
          ? without(Self.asynchronousVariant) { try check.passes(self) } : check.passes(self)
      }
      return passes ? nil : "computes wrong results"
    } catch {
      return "fails (\(error))"
    }
  }

  private func isInUse(_ check: KernelCheck) -> Bool {
    if [Self.matrixVariant, Self.asynchronousVariant].contains(check.variant) { return precision != .fp32 }
    return check.shape.map { $0 == kernelShape } ?? true
  }
}
