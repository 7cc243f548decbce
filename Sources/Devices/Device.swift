/// Where tensors live and operations run: the SIMD CPU path or one OpenCL device.
///
/// A device owns memory and one in-order queue and knows no operation. It is an enumeration so that an
/// operation that forgets a device does not compile.
public enum Device: Sendable, Equatable, CustomStringConvertible {
  case cpu(CPU)
  case openCL(OpenCL)

  /// Whether both are the same device.
  public static func == (a: Device, b: Device) -> Bool {
    switch (a, b) {
    case (.cpu(let a), .cpu(let b)): a === b
    case (.openCL(let a), .openCL(let b)): a === b
    default: false
    }
  }

  /// Short name for messages and tests, such as `cpu avx512` or `opencl:0 NVIDIA H100`.
  public var description: String {
    switch self {
    case .cpu(let cpu):
      "cpu \(cpu.instructionSet.rawValue)" + (cpu.precision == .fp32 ? "" : " \(cpu.precision.rawValue)")
    case .openCL(let device):
      "opencl:\(device.info.index) \(device.info.name) (\(device.kernelShape) kernels"
        + (device.precision == .fp32 ? "" : ", \(device.precision.rawValue)")
        + (device.vectorWidth == device.info.vectorWidth ? ")" : ", float\(device.vectorWidth))")
    }
  }

  /// A buffer of uninitialised memory.
  /// - Throws: `.deviceUnavailable` when the device has no memory left.
  public func makeBuffer(byteCount: Int) throws -> Buffer {
    switch self {
    case .cpu(let cpu): cpu.makeBuffer(byteCount: byteCount)
    case .openCL(let device): try device.makeBuffer(byteCount: byteCount)
    }
  }

  /// Copies host memory to the start of a buffer. The bytes may change once this returns; it does not wait for work
  /// queued before.
  public func write(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer) throws {
    precondition(bytes.count <= buffer.byteCount, "more bytes than the buffer holds")
    guard let address = bytes.baseAddress, bytes.count > 0 else { return }
    switch self {
    case .cpu: buffer.address.copyMemory(from: address, byteCount: bytes.count)
    case .openCL(let device): try device.write(bytes, to: buffer)
    }
  }

  /// Copies the start of a buffer to host memory, after all work queued so far.
  public func read(_ buffer: Buffer, into bytes: UnsafeMutableRawBufferPointer) throws {
    precondition(bytes.count <= buffer.byteCount, "more bytes than the buffer holds")
    guard let address = bytes.baseAddress, bytes.count > 0 else { return }
    switch self {
    case .cpu: address.copyMemory(from: buffer.address, byteCount: bytes.count)
    case .openCL(let device): try device.read(buffer, into: bytes)
    }
  }

  /// Copies the first `byteCount` bytes of a buffer of this device into another one.
  package func copy(_ source: Buffer, to target: Buffer, byteCount: Int, targetOffset: Int = 0) throws {
    precondition(
      byteCount <= source.byteCount && targetOffset >= 0 && targetOffset + byteCount <= target.byteCount,
      "copy beyond a buffer")
    guard byteCount > 0 else { return }
    switch self {
    case .cpu: (target.address + targetOffset).copyMemory(from: source.address, byteCount: byteCount)
    case .openCL(let device):
      try device.copy(source, to: target, byteCount: byteCount, targetOffset: targetOffset)
    }
  }

  /// Takes the times of kernels and copies, or of the CPU's operations, from here on.
  /// - Throws: `.deviceUnavailable` if the driver refuses.
  public func startProfiling(_ profile: Profile) throws {
    switch self {
    case .cpu(let cpu): cpu.profile = profile
    case .openCL(let device): try device.startProfiling(profile)
    }
  }

  /// Memory of this device's buffers.
  public var memoryUse: MemoryUse {
    switch self {
    case .cpu(let cpu): cpu.memory.use
    case .openCL(let device): device.memoryUse
    }
  }

  /// What products and convolutions round their operands to.
  public var precision: Precision {
    switch self {
    case .cpu(let cpu): cpu.precision
    case .openCL(let device): device.precision
    }
  }

  /// Waits until all queued work is done.
  /// - Throws: `.deviceUnavailable` if any of it failed.
  public func synchronize() throws {
    if case .openCL(let device) = self { try device.synchronize() }
  }

  /// Byte offsets of views of a buffer must be multiples of this.
  package var viewAlignment: Int {
    switch self {
    case .cpu: 64
    case .openCL(let device): device.info.viewAlignment
    }
  }
}
