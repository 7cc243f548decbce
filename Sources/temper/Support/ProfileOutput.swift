import Devices
import FileFormats
import Synchronization

/// What `--profile` prints and writes when a command ends, be it with an error.
enum ProfileOutput {
  private struct State {
    let profile: Profile
    let device: Device
    let trace: String?
  }
  private static let state = Mutex<State?>(nil)

  /// Takes times from here on.
  static func start(_ device: Device, trace: String?) throws {
    let profile = Profile()
    try device.startProfiling(profile)
    state.withLock { $0 = State(profile: profile, device: device, trace: trace) }
  }

  /// The table on standard error and the trace, if times were taken.
  static func finish() throws {
    let finished = state.withLock { current in
      defer { current = nil }
      return current
    }
    guard let finished else { return }
    try? finished.device.synchronize()
    Console.clearTransient()
    Console.note(finished.profile.table)
    guard let trace = finished.trace else { return }
    try finished.profile.writeTrace(to: trace)
    let omitted = finished.profile.omittedSpans
    Console.note(
      "\(trace): open it at https://ui.perfetto.dev"
        + (omitted > 0 ? " (the last \(omitted) spans are left out)" : ""))
  }
}
