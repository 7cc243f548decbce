import Synchronization

/// Says that programs are being compiled, once this has taken half a second: on a terminal as a line that is
/// redrawn, elsewhere as one line.
final class CompilationProgress: Sendable {
  private let device: String
  private let start = ContinuousClock.now
  private let hasSpoken = Mutex(false)

  init(_ device: String) { self.device = device }

  /// Called in turn by the threads that compile.
  func report(_ done: Int, of count: Int) {
    guard ContinuousClock.now - start > .seconds(0.5), done < count else { return }
    let line = "compiling \(count) OpenCL programs for \(device): \(done)/\(count)"
    let isFirst = hasSpoken.withLock { spoken in
      defer { spoken = true }
      return !spoken
    }
    if Console.isTerminal { Console.transient(line) } else if isFirst { Console.note(line) }
  }

  func end() {
    if hasSpoken.withLock({ $0 }) { Console.clearTransient() }
  }
}
