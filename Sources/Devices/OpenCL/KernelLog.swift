import Foundation

/// Appends the name of each kernel at its first use to the file named by `TEMPER_KERNEL_LOG`: the tests check
/// with it that no kernel of the Kernels folder went untested.
struct KernelLog {
  static let shared = ProcessInfo.processInfo.environment["TEMPER_KERNEL_LOG"].map(KernelLog.init)
  private let path: String

  private init(_ path: String) { self.path = path }

  func append(_ name: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard file >= 0 else { return }
    _ = (name + "\n").withCString { write(file, $0, strlen($0)) }
    close(file)
  }
}
