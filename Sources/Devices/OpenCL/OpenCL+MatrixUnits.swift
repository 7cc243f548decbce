import FileFormats

extension OpenCL {
  /// What multiplies rounded operands and adds in float32, in kernels shaped for GPUs.
  package enum MatrixUnits: Sendable {
    /// Tensor cores of NVIDIA GPUs, by inline PTX.
    case tensorCores
    /// The same kernels in plain OpenCL C; slow, for tests.
    case emulated
  }

  /// The name by which a check disables the use of matrix units.
  package static let matrixVariant = "tensor core"

  /// The name by which a check disables copies to local memory without registers, which matrix units use alone.
  package static let asynchronousVariant = "asynchronous copy"

  /// What products and convolutions round their operands to from here on.
  /// - Throws: `.usage` unless this device has matrix units for it.
  public func setPrecision(_ precision: Precision) throws {
    guard precision == .fp32 || (matrixUnits != nil && kernelShape == .gpu && isEnabled(Self.matrixVariant))
    else {
      throw TemperError(
        .usage, field: "--precision \(precision.rawValue)",
        "is not available on \(Device.openCL(self)): with OpenCL it needs an NVIDIA GPU of compute capability 8.0 or later",
        remedy: "Choose --precision fp32\(precision == .bf16 ? " or --device cpu" : "").")
    }
    self.precision = precision
  }

  /// Runs `body` with another precision.
  package func withPrecision<Result>(_ other: Precision, _ body: () throws -> Result) rethrows -> Result {
    let usual = precision
    precision = other
    defer { precision = usual }
    return try body()
  }
}

extension OpenCL {
  /// Runs `body` with a variant disabled.
  package func without<Result>(_ variant: String, _ body: () throws -> Result) rethrows -> Result {
    let usual = disabledVariants
    disabledVariants.insert(variant)
    defer { disabledVariants = usual }
    return try body()
  }
}

extension OpenCLDeviceInfo {
  /// Whether it has tensor cores that multiply bfloat16 and tf32.
  var hasTensorCores: Bool {
    kind == .gpu && vendor.lowercased().contains("nvidia") && (computeCapability ?? 0) >= 80
  }
}
