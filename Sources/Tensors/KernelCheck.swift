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
  /// `openCL.isEnabled` for. A shape's checks run only where it is in use.
  package let variant: String
  /// Whether the results are right.
  package let passes: @Sendable (OpenCL) throws -> Bool

  package init(_ name: String, variant: String, passes: @escaping @Sendable (OpenCL) throws -> Bool) {
    (self.name, self.variant, self.passes) = (name, variant, passes)
  }

  /// Every check: products and direct convolutions of both shapes and of matrix units, without and with asynchronous
  /// copies, and Winograd's algorithm.
  package static let all: [KernelCheck] =
    OpenCL.KernelShape.allCases.flatMap { shape in
      [KernelCheck("matrix product", variant: shape.rawValue) { try product(on: .openCL($0)) }]
        + Convolution.Direction.allCases.map { direction in
          KernelCheck("convolution, \(direction.rawValue)", variant: shape.rawValue) {
            try convolution(direction, .direct, on: .openCL($0))
          }
        }
    }
    + Convolution.Direction.allCases.map { direction in
      KernelCheck("convolution, \(direction.rawValue)", variant: "winograd") {
        try convolution(direction, .winograd, on: .openCL($0))
      }
    }
    + [OpenCL.matrixVariant, OpenCL.asynchronousVariant].flatMap { variant in
      let copies = variant == OpenCL.asynchronousVariant
      return [
        KernelCheck("matrix product", variant: variant) { try matrixUnitProduct(on: $0, copies: copies) }
      ]
        + Convolution.Direction.allCases.map { direction in
          KernelCheck("convolution, \(direction.rawValue)", variant: variant) {
            try convolution(direction, .direct, on: .openCL($0), copies: copies)
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

  /// First layers have few channels and take kernels of their own. Asynchronous copies of 4, 8 and 16 bytes.
  private static func convolution(
    _ direction: Convolution.Direction, _ algorithm: ConvolutionAlgorithm, on device: Device,
    copies: Bool = false
  ) throws -> Bool {
    let copied = [(2, 64, 1), (20, 36, 1), (device.precision == .tf32 ? 5 : 8, 40, 2)]
    let direct = copies ? copied : [(1, 64, 1), (19, 35, 1), (5, 35, 2)]
    return try ConvolutionAlgorithm.$forced.withValue(algorithm) {
      for (channels, outputs, stride) in algorithm == .winograd ? [(16, 35, 1)] : direct {
        let geometry = try ConvolutionGeometry(
          images: [2, 9, 18, channels], weights: [3, 3, channels, outputs], stride: stride, padding: 1)
        let error = try ConvolutionError(geometry, rounded: device.precision).largest(direction, on: device)
        guard error <= tolerance else { return false }
      }
      return true
    }
  }
}

extension OpenCL {
  /// Checks the kernels in use, unless they have passed with this driver before. What fails is disabled: with a
  /// kernel shape the other one takes its place, and is checked too.
  /// - Parameters:
  ///   - progress: called before each check with the number of those done and of all.
  ///   - warn: called with a sentence about each check that failed.
  /// - Throws: `.deviceUnavailable` if no kernel shape computes right results.
  package func checkKernels(
    _ checks: [KernelCheck] = KernelCheck.all, progress: (Int, Int) -> Void = { _, _ in },
    warn: (String) -> Void
  ) throws {
    let key =
      ["kernel checks", kernelShape.rawValue, precision.rawValue] + checks.map(\.name) + info.identity
      + KernelSources.all
    if cache?.binary(for: key) != nil { return }
    let wanted = checks.filter { isInUse($0.variant) }
    for (index, check) in wanted.enumerated() where isEnabled(check.variant) && isInUse(check.variant) {
      progress(index, wanted.count)
      guard let reason = failure(of: check) else { continue }
      let shape = kernelShape
      try disable(check.variant)
      warn("\(check.name), \(check.variant) kernels, \(reason) on \(info.name); it is not used")
      if kernelShape != shape { return try checkKernels(checks, progress: progress, warn: warn) }
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

  /// Other variants than kernel shapes and matrix units count as used.
  private func isInUse(_ variant: String) -> Bool {
    if [Self.matrixVariant, Self.asynchronousVariant].contains(variant) { return precision != .fp32 }
    return KernelShape(rawValue: variant).map { $0 == kernelShape } ?? true
  }
}
