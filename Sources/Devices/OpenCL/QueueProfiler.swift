import COpenCL

/// Events of the queues whose times are still to be read. They are read, in order, whenever the host waits for the
/// device anyway, and at the latest when there are ``limit`` of them.
final class QueueProfiler {
  private struct Pending {
    let event: cl_event
    let name: String
    let track: Profile.Track
    let work: Profile.Work
    let global: [Int]
    let local: [Int]
  }

  let profile: Profile
  private let api: TemperOpenCL
  /// What is added to the device's clock to get the profile's.
  private let offset: Int64
  private var pending: [Pending] = []
  private static let limit = 4096

  /// - Parameter queue: a queue with profiling on; it is drained to compare the two clocks.
  init(_ profile: Profile, api: TemperOpenCL, queue: cl_command_queue) throws {
    self.profile = profile
    self.api = api
    var event: cl_event?
    try OpenCL.check(api.clEnqueueMarkerWithWaitList(queue, 0, nil, &event), "clEnqueueMarkerWithWaitList")
    try OpenCL.check(api.clFinish(queue), "clFinish")
    let now = profile.now
    offset = event.flatMap { Self.time(api, $0, CL_PROFILING_COMMAND_END) }.map { now - $0 } ?? 0
    if let event { _ = api.clReleaseEvent(event) }
  }

  deinit { for item in pending { _ = api.clReleaseEvent(item.event) } }

  /// Takes over an event. Waits if there are too many.
  func add(
    _ event: cl_event?, _ name: String, _ work: Profile.Work, global: [Int] = [], local: [Int] = []
  ) throws {
    guard let event else { return }
    note(event, name, work, track: .queue, global: global, local: local)
    // Half of them may still run.
    guard pending.count >= Self.limit,
      let middle = pending[(Self.limit / 2)...].first(where: { $0.track == .queue })
    else { return }
    var awaited: cl_event? = middle.event
    try OpenCL.check(api.clWaitForEvents(1, &awaited), "clWaitForEvents")
    try collect()
  }

  /// Takes over an event.
  func note(
    _ event: cl_event, _ name: String, _ work: Profile.Work, track: Profile.Track, global: [Int] = [],
    local: [Int] = []
  ) {
    pending.append(
      Pending(event: event, name: name, track: track, work: work, global: global, local: local))
  }

  /// Reads the times of the events that are complete, oldest first.
  /// - Throws: `.deviceUnavailable` naming a kernel that failed.
  func collect() throws {
    var done = 0
    defer { pending.removeFirst(done) }
    for item in pending {
      let status = OpenCL.status(api, of: item.event)
      guard status <= CL_COMPLETE else { return }
      done += 1
      defer { _ = api.clReleaseEvent(item.event) }
      try OpenCL.check(status, "\(item.name), global \(item.global), local \(item.local)")
      guard let start = Self.time(api, item.event, CL_PROFILING_COMMAND_START),
        let end = Self.time(api, item.event, CL_PROFILING_COMMAND_END)
      else { continue }
      profile.add(
        Profile.Span(
          name: item.name, track: item.track, start: start + offset, end: max(start, end) + offset,
          work: item.work, global: item.global, local: item.local))
    }
  }

  private static func time(_ api: TemperOpenCL, _ event: cl_event, _ key: Int32) -> Int64? {
    var time: cl_ulong = 0
    let status = api.clGetEventProfilingInfo(
      event, cl_profiling_info(key), MemoryLayout<cl_ulong>.size, &time, nil)
    return status == CL_SUCCESS ? Int64(clamping: time) : nil
  }
}

extension OpenCL {
  /// A command's execution status: CL_COMPLETE (0), above while it is under way, below if it failed.
  static func status(_ api: TemperOpenCL, of event: cl_event) -> cl_int {
    var status: cl_int = 0
    let query = api.clGetEventInfo(
      event, cl_event_info(CL_EVENT_COMMAND_EXECUTION_STATUS), MemoryLayout<cl_int>.size, &status, nil)
    return query == CL_SUCCESS ? status : query
  }
}
