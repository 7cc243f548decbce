import Devices
import FileFormats
import Randomness

/// A comparison of kernels with plain loops on the host, of reductions with the CPU path, at shapes so small that it takes
/// milliseconds, a long sum a tenth of a second. A driver that compiles a kernel wrongly is found by it before the kernel
/// is used.
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
  /// What is to be used first; nil for a check that is made at once.
  package let waitsFor: CPUConvolutionUse?
  /// Whether its shapes reach the kernels that it is for on a device: otherwise it is left out.
  package let reaches: @Sendable (OpenCL) throws -> Bool
  /// Whether the results are right.
  package let passes: @Sendable (OpenCL) throws -> Bool

  package init(
    _ name: String, variant: String, shape: OpenCL.KernelShape? = nil, waitsFor: CPUConvolutionUse? = nil,
    reaches: @escaping @Sendable (OpenCL) throws -> Bool = { _ in true },
    passes: @escaping @Sendable (OpenCL) throws -> Bool
  ) {
    (self.name, self.variant, self.shape, self.waitsFor) = (name, variant, shape, waitsFor)
    (self.reaches, self.passes) = (reaches, passes)
  }

  /// Every check: products, one of them deep and one large, reductions, direct convolutions of both shapes and of matrix
  /// units, without and with asynchronous copies, and Winograd's algorithm.
  package static let all: [KernelCheck] =
    OpenCL.KernelShape.allCases.flatMap { shape in
      [
        KernelCheck("matrix product", variant: shape.rawValue, shape: shape) { try product(on: .openCL($0)) },
        KernelCheck("long sum", variant: shape.rawValue, shape: shape) { try longSum(on: $0) },
      ]
    }
    + [
      KernelCheck("large matrix product", variant: OpenCL.KernelShape.gpu.rawValue, shape: .gpu) {
        try largeProduct(on: $0)
      },
      KernelCheck("batch norm and cross-entropy", variant: OpenCL.KernelShape.gpu.rawValue, shape: .gpu) {
        try normalizedLoss(on: $0)
      },
    ]
    + Convolution.Direction.allCases.flatMap { direction in
      [
        KernelCheck(
          "convolution, \(direction.rawValue)", variant: OpenCL.KernelShape.gpu.rawValue, shape: .gpu
        ) { device in
          try ConvolutionAlgorithm.$forced.withValue(.direct) {
            try convolution(direction, fewChannels + manyChannels, on: .openCL(device))
          }
        }
      ]
        + [4, 2].map { extent in
          KernelCheck(
            "convolution, \(direction.rawValue), tiles of \(extent) x \(extent)", variant: "winograd",
            shape: .gpu
          ) { device in
            try GPUWinograd.$forcedExtent.withValue(extent) {
              try convolution(direction, [(16, 35, 1)], on: .openCL(device))
            }
          }
        }
    }
    + cpuConvolutions
    + [OpenCL.matrixVariant, OpenCL.asynchronousVariant].flatMap { variant in
      let copies = variant == OpenCL.asynchronousVariant
      return [
        KernelCheck("matrix product", variant: variant) { try matrixUnitProduct(on: $0, copies: copies) }
      ]
        + Convolution.Direction.allCases.map { direction in
          KernelCheck("convolution, \(direction.rawValue)", variant: variant) { device in
            // Copies of 4, 8 and 16 bytes.
            let copied = [(2, 64, 1), (20, 36, 1), (device.precision == .tf32 ? 5 : 8, 40, 2)]
            return try ConvolutionAlgorithm.$forced.withValue(.direct) {
              try convolution(direction, copies ? copied : fewChannels + manyChannels, on: .openCL(device))
            }
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

  /// The tile of large products, whose registers are the most; extents that vectors divide.
  private static func largeProduct(on device: OpenCL) throws -> Bool {
    let tile = ProductTile.shipped(for: .init(device.info)).first { $0.fits(device.info) }
    return try ProductPlan.$forced.withValue(ProductPlan(tile: tile ?? .smallest)) {
      try product((132, 136, 40), transposes: [(false, false)], on: .openCL(device))
    }
  }

  /// A driver may leave loops: llvmpipe of Mesa 22.3 does after 65,000 iterations of all loops of a work group. One group
  /// of the kernel that the other products have compiled sums all.
  private static func longSum(on device: OpenCL) throws -> Bool {
    let (m, n, k) = usual
    let tile = device.plan(ProductShape(rows: m, columns: n, depth: k), .product).tile
    return try ProductPlan.$forced.withValue(ProductPlan(tile: tile)) {
      try product((2, 2, (1 << 18) + 1), transposes: [(false, false)], on: .openCL(device), tolerance: 1e-6)
    }
  }

  private static let usual = (37, 70, 45)
  private static let usualTransposes = [(false, false), (true, false), (false, true)]

  private static func product(
    _ extents: (Int, Int, Int) = usual, transposes: [(Bool, Bool)] = usualTransposes, on device: Device,
    tolerance: Double = tolerance
  ) throws -> Bool {
    let (m, n, k) = extents
    let rounded = device.precision.rounded
    var stream = RandomStream(seed: 1, purpose: .weights)
    let a = (0..<m * k).map { _ in 2 * stream.nextUniform() - 1 }
    let b = (0..<k * n).map { _ in 2 * stream.nextUniform() - 1 }
    for (transposeA, transposeB) in transposes {
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

  /// Reductions over channels and rows, with their gradients, beside the CPU path.
  private static func normalizedLoss(on device: OpenCL) throws -> Bool {
    func results(on device: Device) throws -> [Float] {
      var stream = RandomStream(seed: 2, purpose: .weights)
      func values(_ count: Int) -> [Float] { (0..<count).map { _ in 2 * stream.nextUniform() - 1 } }
      let x = try Tensor(values(150 * 28), shape: [150, 2, 2, 7], on: device)
      let (scale, shift) = (
        try Tensor(values(7), shape: [7], on: device), try Tensor(values(7), shape: [7], on: device)
      )
      let running = try RunningStatistics(channels: 7, on: device)
      let labels = try Tensor((0..<150).map { Int32($0 % 28) }, on: device)
      let (loss, gradient) = try valueWithGradient(at: x) {
        let y = try batchNorm(
          $0, scale: scale, shift: shift, running: running, mode: .training(momentum: 0.1))
        return try crossEntropy(y.reshaped([150, 28]), labels)
      }
      return try loss.floats() + gradient.floats().map { 150 * $0 } + running.variance.floats()
    }
    let (found, expected) = (try results(on: .openCL(device)), try results(on: .cpu(.shared)))
    return zip(found, expected).allSatisfy { abs($0 - $1) <= 10 * Float(tolerance) }
  }

  /// Channels, outputs and stride of convolutions: first layers take kernels of their own.
  typealias Layer = (channels: Int, outputs: Int, stride: Int)
  static let fewChannels: [Layer] = [(1, 64, 1)]
  static let manyChannels: [Layer] = [(19, 35, 1), (5, 35, 2)]

  static func convolution(
    _ direction: Convolution.Direction, _ layers: [Layer], on device: Device
  ) throws -> Bool {
    try convolution(direction, layers.map { try geometry($0) }, on: device)
  }

  static func convolution(
    _ direction: Convolution.Direction, _ geometries: [ConvolutionGeometry], on device: Device
  ) throws -> Bool {
    try geometries.allSatisfy { g in
      try ConvolutionError(g, rounded: device.precision).largest(direction, on: device) <= tolerance
    }
  }

  static func geometry(_ layer: Layer, height: Int = 9, width: Int = 18) throws -> ConvolutionGeometry {
    try ConvolutionGeometry(
      images: [2, height, width, layer.channels], weights: [3, 3, layer.channels, layer.outputs],
      stride: layer.stride, padding: 1)
  }
}

extension OpenCL {
  /// Checks the kernels in use, some of them only before their first use, unless they have passed with this driver before.
  /// What fails is disabled: with a kernel shape the other one takes its place, and is checked too.
  /// - Parameters:
  ///   - progress: called before each check with the number of those done and of all, and when all are done.
  ///   - warn: called with a sentence about each check that failed.
  /// - Throws: `.deviceUnavailable` if no kernel shape passes, or if the device is lost or has no memory for a check.
  package func checkKernels(
    _ checks: [KernelCheck] = KernelCheck.all, progress: @escaping (Int, Int) -> Void = { _, _ in },
    warn: @escaping (String) -> Void
  ) throws {
    let wanted = try checks.filter { try isInUse($0) && $0.reaches(self) }
    let shape = kernelShape
    for check in wanted {
      guard let use = check.waitsFor else { continue }
      postpone(until: use) { [unowned self] in
        guard kernelShape == shape else { return }
        // What failed before is no fault of these kernels.
        try synchronize()
        try run([check], progress: progress, warn: warn)
        if kernelShape != shape { try checkKernels(checks, progress: progress, warn: warn) }
      }
    }
    try run(wanted.filter { $0.waitsFor == nil }, progress: progress, warn: warn)
    if kernelShape != shape { try checkKernels(checks, progress: progress, warn: warn) }
  }

  /// Runs checks that have not passed before; ends when another kernel shape takes the place of the one in use.
  private func run(
    _ checks: [KernelCheck], progress: (Int, Int) -> Void, warn: (String) -> Void
  ) throws {
    let key =
      ["kernel checks", kernelShape.rawValue, precision.rawValue] + checks.map(\.name) + info.identity
      + [KernelSources.digest] + (kernelShape == .cpu ? ["\(info.localMemory)"] : [])
    if cache?.binary(for: key) != nil { return }
    defer { progress(checks.count, checks.count) }
    let shape = kernelShape
    for (index, check) in checks.enumerated() where isEnabled(check.variant) && isInUse(check) {
      progress(index, checks.count)
      guard let reason = try failure(of: check) else { continue }
      warn("\(check.name), \(check.variant) kernels, \(reason) on \(info.name); it is not used")
      try disable(check.variant)
      if kernelShape != shape { return }
    }
    if disabledVariants.isEmpty { cache?.store([], for: key) }
  }

  /// What is wrong, or nil.
  /// - Throws: what is not the kernels' fault: memory that ran out, a device that is lost.
  private func failure(of check: KernelCheck) throws -> String? {
    forgetAllocationFailure()
    do {
      let needsUnits = [Self.matrixVariant, Self.asynchronousVariant].contains(check.variant)
      let passes = try withPrecision(needsUnits ? precision : .fp32) {
        // Matrix units are checked without the copies, which have checks of their own.
        try check.variant == Self.matrixVariant
          ? without(Self.asynchronousVariant) { try check.passes(self) } : check.passes(self)
      }
      return passes ? nil : "computes wrong results"
    } catch {
      if allocationFailure != nil { throw error }
      do { try synchronize() } catch { throw error }
      return "fails (\(error))"
    }
  }

  private func isInUse(_ check: KernelCheck) -> Bool {
    if [Self.matrixVariant, Self.asynchronousVariant].contains(check.variant) { return precision != .fp32 }
    return check.shape.map { $0 == kernelShape } ?? true
  }
}
