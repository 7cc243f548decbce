import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct ProfileTests {
  /// Totals are sums over the calls; a span's time without that of the spans inside it.
  @Test func totalsAreSums() throws {
    let profile = Profile()
    for (start, end) in [(0, 10_000), (20_000, 50_000)] as [(Int64, Int64)] {
      profile.add(
        .init(name: "a", track: .queue, start: start, end: end, work: .init(flops: 80_000, bytes: 4000)))
    }
    profile.add(.init(name: "b", track: .queue, start: 50_000, end: 60_000))
    profile.add(.init(name: "a", track: .host(0), start: 0, end: 7000))
    let lines = profile.table.split(separator: "\n").map {
      $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
    }
    #expect(lines[0] == ["device", "calls", "total", "ms", "mean", "us", "share", "GFLOP/s", "GB/s"])
    #expect(lines[1] == ["a", "2", "0.040", "20.0", "80.0", "%", "4.0", "0.2"])
    #expect(lines[2] == ["b", "1", "0.010", "10.0", "20.0", "%"])
    #expect(lines[3] == ["all", "3", "0.050"])
    #expect(lines[5] == ["a", "1", "0.007", "7.0", "100.0", "%"])
    #expect(lines.count == 7)
  }

  @Test func innerSpansAreNotCountedTwice() throws {
    let profile = Profile()
    profile.span("outer") {
      for _ in 0..<3 { profile.span("inner") { _ = usleep(2000) } }
    }
    let spans = profile.spans
    let outer = try #require(spans.first { $0.name == "outer" })
    let inner = spans.filter { $0.name == "inner" }
    #expect(inner.count == 3 && inner.allSatisfy { $0.start >= outer.start && $0.end <= outer.end })
    let sums = profile.totals
    let own = sums[.init(name: "outer", part: .host)]!.nanoseconds
    let others = sums[.init(name: "inner", part: .host)]!.nanoseconds
    #expect(own + others == outer.end - outer.start && others == inner.reduce(0) { $0 + $1.end - $1.start })
  }

  @Test func longTracesAreCut() {
    let profile = Profile()
    for i in 0..<Profile.capacity + 5 {
      profile.add(.init(name: "a", track: .queue, start: Int64(i), end: Int64(i + 1)))
    }
    #expect(profile.spans.count == Profile.capacity && profile.omittedSpans == 5)
    #expect(profile.totals.values.first?.calls == Profile.capacity + 5)
  }

  /// The events of the queues: each launch and copy once, in order, one after the other, with its sizes and work.
  @Test(.enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: profile: no OpenCL device"))
  func tracesOfAQueueAreInOrder() throws {
    let openCL = try OpenCL(OpenCLDeviceInfo.all[0])
    let device = Device.openCL(openCL)
    let profile = Profile()
    try device.startProfiling(profile)
    let launches = isUnderOclgrind ? 40 : 5000  // more than are kept pending
    let (x, y) = (try device.makeBuffer(byteCount: 400), try device.makeBuffer(byteCount: 400))
    try [UInt8](repeating: 0, count: 400).withUnsafeBytes { try device.write($0, to: x) }
    for i in 0..<launches {
      try openCL.launch(
        "scale", [.int(100), .float(2), .buffer(x), .buffer(y)], global: [100], local: [64], flops: i)
    }
    try device.copy(y, to: x, byteCount: 400)
    try device.synchronize()
    let total = try #require(profile.totals[.init(name: "scale", part: .device)])
    #expect(total.calls == launches && total.work.flops == launches * (launches - 1) / 2)
    try withTemporaryFolder { folder in
      try profile.writeTrace(to: folder + "/trace.json")
      let data = Data(try InputFile.read(folder + "/trace.json"))
      let events = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
      let complete = events.filter { $0["ph"] as? String == "X" }
      let queue = complete.filter { $0["tid"] as? Int == 1 }
      #expect(
        queue.map { $0["name"] as? String }
          == ["copy into place"] + Array(repeating: "scale", count: launches) + ["copy on device"])
      var end = -Double.infinity
      for event in queue {
        let (start, duration) = (try #require(event["ts"] as? Double), try #require(event["dur"] as? Double))
        #expect(start >= end - 0.0015 && duration >= 0, "microseconds, rounded to thousandths")
        end = start + duration
      }
      let arguments = try #require(queue[2]["args"] as? [String: Any])
      #expect(arguments["global"] as? [Int] == [128] && arguments["local"] as? [Int] == [64])
      #expect(arguments["flops"] as? Int == 1)
      let transfers = complete.filter { $0["tid"] as? Int == 2 }
      #expect(transfers.map { $0["name"] as? String } == ["copy to device"])
      let host = Set(complete.filter { $0["cat"] as? String == "host" }.compactMap { $0["name"] as? String })
      #expect(host.isSuperset(of: ["write", "compile elementwise", "synchronize"]))
      #expect(events.count { $0["ph"] as? String == "M" } == 3, "a name for each track")
    }
  }
}
