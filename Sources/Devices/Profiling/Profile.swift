import Foundation

/// Where the time of a command goes: kernels and copies on a device's queues by its own events, and work of the
/// host. Totals by name are exact; of single spans the first ``capacity`` are kept for the trace.
public final class Profile: @unchecked Sendable {
  /// Work of one launch, where it is known.
  package struct Work: Sendable {
    /// Additions and multiplications.
    package var flops: Int?
    /// Bytes read and written.
    package var bytes: Int?

    package init(flops: Int? = nil, bytes: Int? = nil) { (self.flops, self.bytes) = (flops, bytes) }
  }

  /// One call. Times are nanoseconds since the profile was made.
  package struct Span: Sendable {
    package let name: String
    package let track: Track
    package let start: Int64
    package let end: Int64
    package let work: Work
    /// Work items in all and per group.
    package let global: [Int]
    package let local: [Int]

    package init(
      name: String, track: Track, start: Int64, end: Int64, work: Work = Work(), global: [Int] = [],
      local: [Int] = []
    ) {
      (self.name, self.track, self.start, self.end) = (name, track, start, end)
      (self.work, self.global, self.local) = (work, global, local)
    }
  }

  /// A line of the trace: the device's queue of kernels, that of transfers to it, or a thread of the host in order of
  /// appearance (the first is 0).
  package enum Track: Hashable, Sendable { case queue, transfers, host(Int) }

  /// What is added up apart, since it runs at the same time.
  package enum Part: String, CaseIterable, Sendable { case device, transfers, host }

  /// All calls of one name.
  package struct Total: Sendable {
    package var calls = 0
    /// Without the time of spans inside these.
    package var nanoseconds: Int64 = 0
    package var work = Work()
  }

  package static let capacity = 200_000
  private let lock = NSLock()
  private let origin = DispatchTime.now().uptimeNanoseconds
  private var kept: [Span] = []
  private var omitted = 0
  private var sums: [Key: Total] = [:]
  private var threads: [ObjectIdentifier: Int] = [:]
  /// Per host thread: time that inner spans of each open span took.
  private var open: [Int: [Int64]] = [:]

  /// Totals are by part and name.
  package struct Key: Hashable, Sendable {
    package let name: String
    package let part: Part

    package init(name: String, part: Part) { (self.name, self.part) = (name, part) }
  }

  /// An empty profile; its time starts now.
  public init() {}

  /// Nanoseconds since the profile was made.
  package var now: Int64 { Int64(DispatchTime.now().uptimeNanoseconds - origin) }

  /// The spans kept, in order of their starts.
  package var spans: [Span] { lock.withLock { kept }.sorted { $0.start < $1.start } }
  package var totals: [Key: Total] { lock.withLock { sums } }
  package var omittedSpans: Int { lock.withLock { omitted } }

  /// Adds a call on one of the device's queues.
  package func add(_ span: Span) { lock.withLock { insert(span, inner: 0) } }

  private func insert(_ span: Span, inner: Int64) {
    var total = sums[Key(name: span.name, part: span.track.part)] ?? Total()
    total.calls += 1
    total.nanoseconds += span.end - span.start - inner
    if let flops = span.work.flops { total.work.flops = (total.work.flops ?? 0) + flops }
    if let bytes = span.work.bytes { total.work.bytes = (total.work.bytes ?? 0) + bytes }
    sums[Key(name: span.name, part: span.track.part)] = total
    if kept.count < Self.capacity { kept.append(span) } else { omitted += 1 }
  }

  /// Runs `body` as a span of the calling thread; spans may be nested.
  package func span<R>(_ name: String, _ body: () throws -> R) rethrows -> R {
    let caller = ObjectIdentifier(Thread.current)
    let thread = lock.withLock {
      let id = threads[caller] ?? threads.count
      threads[caller] = id
      open[id, default: []].append(0)
      return id
    }
    let start = now
    defer {
      let end = now
      lock.withLock {
        let inner = open[thread]!.removeLast()
        if let last = open[thread]!.indices.last { open[thread]![last] += end - start }
        insert(Span(name: name, track: .host(thread), start: start, end: end), inner: inner)
      }
    }
    return try body()
  }

  /// Runs `body`, as a span where there is a profile.
  package static func span<R>(_ profile: Profile?, _ name: String, _ body: () throws -> R) rethrows -> R {
    guard let profile else { return try body() }
    return try profile.span(name, body)
  }
}
