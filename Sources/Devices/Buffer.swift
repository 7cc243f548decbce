import COpenCL

/// A block of a device's memory, or a view of a part of one. Its memory returns to the device's pool with the
/// last reference; the queue is in order, so that work already queued may still use it.
public final class Buffer {
  enum Storage {
    /// With the size of the pool's block.
    case host(HostBlock, Int)
    case openCL(cl_mem, Int)
    case view(Buffer, host: UnsafeMutableRawPointer?, openCL: cl_mem?)
  }

  /// The device that owns the memory.
  public let device: Device
  /// Usable bytes.
  public let byteCount: Int
  let storage: Storage
  /// Rises whenever a long-lived buffer (a parameter) changes.
  package private(set) var version = 0
  /// Derived forms since the last change; see ``derived(_:make:)``.
  private var cache: [String: Buffer] = [:]
  /// Whether derived forms are worth keeping: true for parameters, false for activations.
  package var keepsDerivedForms = false

  init(device: Device, byteCount: Int, storage: Storage) {
    self.device = device
    self.byteCount = byteCount
    self.storage = storage
  }

  deinit {
    switch storage {
    case .host(let block, let size):
      if case .cpu(let cpu) = device { cpu.memory.give(block, size) }
    case .openCL(let memory, let size):
      if case .openCL(let device) = device { device.recycle(memory, size) }
    case .view(_, _, let memory):
      if let memory, case .openCL(let device) = device { device.release(memory) }
    }
  }

  /// The memory's address; only for buffers of the CPU.
  package var address: UnsafeMutableRawPointer {
    switch storage {
    case .host(let block, _): block.address
    case .view(_, let host?, _): host
    default: preconditionFailure("a buffer of an OpenCL device has no address")
    }
  }

  package var memory: cl_mem {
    switch storage {
    case .openCL(let memory, _): memory
    case .view(_, _, let memory?): memory
    default: preconditionFailure("a buffer of the CPU is not OpenCL memory")
    }
  }

  /// A part of this buffer that shares its memory. The offset must be a multiple of the device's
  /// `viewAlignment`.
  package func view(byteOffset: Int, byteCount: Int) throws -> Buffer {
    precondition(byteOffset >= 0 && byteOffset + byteCount <= self.byteCount, "view beyond the buffer")
    precondition(byteOffset % device.viewAlignment == 0, "misaligned view")
    switch device {
    case .cpu:
      return Buffer(
        device: device, byteCount: byteCount, storage: .view(self, host: address + byteOffset, openCL: nil))
    case .openCL(let openCL):
      let part = try openCL.subBuffer(of: self, byteOffset: byteOffset, byteCount: byteCount)
      return Buffer(device: device, byteCount: byteCount, storage: .view(self, host: nil, openCL: part))
    }
  }

  /// Marks the content as changed: derived forms are forgotten, and made anew when they are needed.
  package func markChanged() {
    version += 1
    cache = [:]
  }

  /// Another form of this buffer's content, such as packed weights. For parameters it is made once per version
  /// and shared by all steps of an attack.
  package func derived(_ key: String, make: () throws -> Buffer) rethrows -> Buffer {
    guard keepsDerivedForms else { return try make() }
    if let kept = cache[key] { return kept }
    let made = try make()
    cache[key] = made
    return made
  }
}

extension CPU {
  package func makeBuffer(byteCount: Int) -> Buffer {
    let (block, size) = memory.take(byteCount)
    return Buffer(
      device: .cpu(self), byteCount: byteCount, storage: .host(block ?? HostBlock(byteCount: size), size))
  }
}
