import Foundation
import Synchronization

/// Ctrl-C and SIGTERM as a flag that long work looks at between two batches, so that it can save its state.
public enum Interruption {
  private static let flag = Atomic<Bool>(false)

  /// Whether the user asked to stop.
  public static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// Asks to stop, as the signals do.
  package static func request() { flag.store(true, ordering: .relaxed) }
  package static func clear() { flag.store(false, ordering: .relaxed) }

  /// Takes over both signals. A second one ends the process at once.
  public static func catchSignals() {
    // A parent that blocks them hands that down.
    var both = sigset_t()
    sigemptyset(&both)
    sigaddset(&both, SIGINT)
    sigaddset(&both, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        Interruption.request()
        signal(number, SIG_DFL)
      }
    }
  }
}
