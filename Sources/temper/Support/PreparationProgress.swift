import Synchronization

/// Says what a device is being prepared with, once this has taken half a second: on a terminal as a line that is
/// redrawn, elsewhere as one line.
final class PreparationProgress: Sendable {
  private let start = ContinuousClock.now
  private let spoken = Mutex<String?>(nil)

  /// Called in turn by the threads that work.
  /// - Parameter work: such as "compiling OpenCL programs for DEVICE".
  func report(_ work: String, _ done: Int, of count: Int) {
    guard ContinuousClock.now - start > .seconds(0.5), done < count else { return }
    let isNew = spoken.withLock { last in
      defer { last = work }
      return last != work
    }
    let line = "\(work): \(done)/\(count)"
    if Console.isTerminal { Console.transient(line) } else if isNew { Console.note(line) }
  }

  func end() {
    if spoken.withLock({ $0 != nil }) { Console.clearTransient() }
  }
}
