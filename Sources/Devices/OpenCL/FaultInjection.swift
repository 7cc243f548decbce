import COpenCL
import FileFormats
import Foundation

/// Failures on purpose, so that what Temper does about them can be tested on a device that works. Tests pass one to
/// ``OpenCL``; for a whole command `TEMPER_OPENCL_FAULT` names one.
package final class FaultInjection: @unchecked Sendable {
  /// What fails.
  package enum Fault: Equatable, Sendable {
    /// The allocation of this number, from 1, and every later one.
    case allocation(Int)
    /// There is no memory for the launch of this number of a kernel (`*`: of any) and for every later one.
    case shortage(kernel: String, number: Int)
    /// The launch of this number of a kernel (`*`: of any) and every later call: the device is lost.
    case launch(kernel: String, number: Int)
    /// As `launch`, but the call succeeds and the next one that waits for the device reports the failure.
    case event(kernel: String, number: Int)
    /// The compilation of a family of kernels; with a macro (`STAGES=3`) only where it is defined so.
    case build(family: String, macro: String? = nil)
    /// Each launch of a kernel leaves a NaN in the first element of its last buffer; with a macro as above.
    case wrong(kernel: String, macro: String? = nil)
  }

  private let fault: Fault
  private let lock = NSLock()
  private var allocations = 0
  private var launches = 0
  private var isPending = false
  private var isShort = false
  private var isLost = false

  package init(_ fault: Fault) { self.fault = fault }

  /// Reads `allocation:N`, `shortage:KERNEL:N`, `launch:KERNEL:N`, `event:KERNEL:N`, `build:FAMILY` or `wrong:KERNEL`; the
  /// last two also with `:MACRO=N`.
  /// - Throws: `.usage` for anything else.
  package convenience init(_ text: String) throws {
    let words = text.split(separator: ":").map(String.init)
    let number = words.last.flatMap { Int($0) }
    switch (words.first, words.count) {
    case ("allocation", 2) where number != nil: self.init(.allocation(number!))
    case ("shortage", 3) where number != nil: self.init(.shortage(kernel: words[1], number: number!))
    case ("launch", 3) where number != nil: self.init(.launch(kernel: words[1], number: number!))
    case ("event", 3) where number != nil: self.init(.event(kernel: words[1], number: number!))
    case ("build", 2...3): self.init(.build(family: words[1], macro: words.dropFirst(2).first))
    case ("wrong", 2...3): self.init(.wrong(kernel: words[1], macro: words.dropFirst(2).first))
    default:
      throw TemperError(
        .usage, field: "TEMPER_OPENCL_FAULT", "is \"\(text)\"",
        remedy:
          "Give allocation:N, shortage:KERNEL:N, launch:KERNEL:N, event:KERNEL:N, build:FAMILY or wrong:KERNEL."
      )
    }
  }

  /// The fault that the environment asks for.
  static func ofEnvironment() throws -> FaultInjection? {
    try ProcessInfo.processInfo.environment["TEMPER_OPENCL_FAULT"].map { try FaultInjection($0) }
  }

  func refusesAllocation() -> Bool {
    guard case .allocation(let number) = fault else { return false }
    return lock.withLock {
      allocations += 1
      return allocations >= number
    }
  }

  /// - Parameter options: those of the build.
  func breaksBuild(of family: String, _ options: String) -> Bool {
    guard case .build(family, let macro) = fault else { return false }
    return macro.map { options.split(separator: " ").contains("-D\($0)") } ?? true
  }

  func makesWrong(_ kernel: String, _ defines: [String: Int]) -> Bool {
    guard case .wrong(kernel, let macro) = fault else { return false }
    return macro.map { text in defines.contains { "\($0.key)=\($0.value)" == text } } ?? true
  }

  /// Counts a launch, which may be the one that fails.
  func countLaunch(of kernel: String) {
    lock.withLock {
      switch fault {
      case .launch(let name, let number) where name == "*" || name == kernel:
        launches += 1
        if launches == number { isLost = true }
      case .event(let name, let number) where name == "*" || name == kernel:
        launches += 1
        if launches == number { isPending = true }
      case .shortage(let name, let number) where name == "*" || name == kernel:
        launches += 1
        isShort = launches >= number
      default: break
      }
    }
  }

  /// The status of a call to the queue in place of the driver's.
  func status(_ status: cl_int, waits: Bool) -> cl_int {
    lock.withLock {
      if isPending && waits { isLost = true }
      if isShort && !waits { return CL_MEM_OBJECT_ALLOCATION_FAILURE }
      return isLost ? CL_DEVICE_NOT_AVAILABLE : status
    }
  }
}
