import COpenCL

/// One argument of a kernel launch.
package enum KernelArgument {
  case buffer(Buffer)
  /// No buffer: the kernel receives a null pointer.
  case none
  case int(Int)
  case uint(UInt32)
  case float(Float)
  /// Local memory of so many bytes.
  case local(Int)

  /// An optional buffer: null when absent.
  package static func optional(_ buffer: Buffer?) -> KernelArgument { buffer.map { .buffer($0) } ?? .none }

  /// Bytes of a buffer; else 0.
  var byteCount: Int {
    guard case .buffer(let buffer) = self else { return 0 }
    return buffer.byteCount
  }

  func withBytes<R>(_ body: (Int, UnsafeRawPointer?) -> R) -> R {
    func pass<T>(_ value: T) -> R {
      withUnsafeBytes(of: value) { body($0.count, $0.baseAddress) }
    }
    switch self {
    case .buffer(let buffer): return pass(buffer.memory)
    case .none: return pass(cl_mem?.none)
    case .int(let value): return pass(Int32(value))
    case .uint(let value): return pass(value)
    case .float(let value): return pass(value)
    case .local(let count): return body(count, nil)
    }
  }
}
