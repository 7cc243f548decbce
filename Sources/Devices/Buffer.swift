import COpenCL

/// A block of a device's memory, or a view of a part of one. Its memory returns to the device's pool with the
/// last reference; the queue is in order, so that work already queued may still use it.
public final class Buffer {
  enum Storage {
    case host(HostBlock)
    case openCL(cl_mem)
    case view(Buffer, host: UnsafeMutableRawPointer?, openCL: cl_mem?)
  }

  /// The device that owns the memory.
  public let device: Device
  /// Usable bytes.
  public let byteCount: Int
  let storage: Storage
  /// Rises whenever a long-lived buffer (a parameter) changes; see ``derived(_:make:)``.
  package private(set) var version = 0
  private var cache: [String: (version: Int, buffer: Buffer)] = [:]
  /// Whether derived forms are worth keeping: true for parameters, false for activations.
  package var keepsDerivedForms = false

  init(device: Device, byteCount: Int, storage: Storage) {
    self.device = device
    self.byteCount = byteCount
    self.storage = storage
  }

  deinit {
    switch storage {
    case .host(let block):
      if case .cpu(let cpu) = device { cpu.memory.give(block, BufferPool<HostBlock>.sizeClass(byteCount)) }
    case .openCL(let memory):
      if case .openCL(let device) = device { device.recycle(memory, byteCount: byteCount) }
    case .view(_, _, let memory):
      if let memory, case .openCL(let device) = device { device.release(memory) }
    }
  }

  /// The memory's address; only for buffers of the CPU.
  package var address: UnsafeMutableRawPointer {
    switch storage {
    case .host(let block): block.address
    case .view(_, let host?, _): host
    default: preconditionFailure("a buffer of an OpenCL device has no address")
    }
  }

  package var memory: cl_mem {
    switch storage {
    case .openCL(let memory): memory
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

  /// Marks the content as changed, so that derived forms are made anew.
  package func markChanged() { version += 1 }

  /// Another form of this buffer's content, such as packed weights. For parameters it is made once per version
  /// and shared by all steps of an attack.
  package func derived(_ key: String, make: () throws -> Buffer) rethrows -> Buffer {
    guard keepsDerivedForms else { return try make() }
    if let kept = cache[key], kept.version == version { return kept.buffer }
    let made = try make()
    cache[key] = (version, made)
    return made
  }
}

extension CPU {
  package func makeBuffer(byteCount: Int) -> Buffer {
    let size = BufferPool<HostBlock>.sizeClass(byteCount)
    return Buffer(
      device: .cpu(self), byteCount: byteCount,
      storage: .host(memory.take(size) ?? HostBlock(byteCount: size)))
  }
}
