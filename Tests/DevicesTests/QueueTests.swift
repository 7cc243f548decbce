import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: queue: no OpenCL device"))
struct QueueTests {
  /// A write reaches the device while the queue of the kernels is held back, and takes its place in the order of that
  /// queue. Oclgrind has no asynchronous queue: a flush there runs all that is queued.
  @Test(.enabled(if: !isUnderOclgrind)) func writesDoNotWaitForTheQueue() throws {
    let openCL = try OpenCL(OpenCLDeviceInfo.all[0])
    let device = Device.openCL(openCL)
    let profile = Profile()
    try device.startProfiling(profile)
    let (first, second) = (try device.makeBuffer(byteCount: 8192), try device.makeBuffer(byteCount: 8192))
    try [UInt8](repeating: 1, count: 8192).withUnsafeBytes { try device.write($0, to: first) }
    let waits = openCL.waits
    let release = try openCL.holdQueue()
    try device.copy(first, to: second, byteCount: 8192)
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) let target = first
    Thread.detachNewThread {
      var bytes = [UInt8](repeating: 2, count: 8192)
      try? bytes.withUnsafeBytes { try device.write($0, to: target) }
      bytes = []
      try? openCL.waitForTransfers()
      done.signal()
    }
    let outcome = done.wait(timeout: .now() + 30)
    #expect(outcome == .success, "the write waited for the queue")
    #expect(openCL.waits == waits)
    release()
    #expect(try read(second, on: device).allSatisfy { $0 == 1 })
    #expect(try read(first, on: device).allSatisfy { $0 == 2 })
    #expect(openCL.waits == waits + 2)
    let transfer = try #require(profile.spans.last { $0.track == .transfers })
    let copy = try #require(profile.spans.first { $0.name == "copy on device" })
    #expect(transfer.end <= copy.start, "the transfer stood in the queue behind the copy")
  }

  /// A transfer that fails on the device is reported by whatever waits next; the memory that it used serves again.
  @Test(.enabled(if: !isUnderOclgrind)) func failedUploadsAreReported() throws {
    let openCL = try OpenCL(OpenCLDeviceInfo.all[0])
    let device = Device.openCL(openCL)
    let buffer = try device.makeBuffer(byteCount: 8192)
    let fail = try openCL.failNextUpload()
    try [UInt8](repeating: 1, count: 8192).withUnsafeBytes { try device.write($0, to: buffer) }
    fail()
    let error = #expect(throws: TemperError.self) { try device.synchronize() }
    #expect(error?.kind == .deviceUnavailable && error?.field == "an upload")
    try [UInt8](repeating: 2, count: 8192).withUnsafeBytes { try device.write($0, to: buffer) }
    #expect(try read(buffer, on: device).allSatisfy { $0 == 2 })
  }

  private func read(_ buffer: Buffer, on device: Device) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: buffer.byteCount)
    try bytes.withUnsafeMutableBytes { try device.read(buffer, into: $0) }
    return bytes
  }

  /// Many writes, kernels and copies on buffers that come and go give what they give one by one.
  @Test(arguments: [UInt64(1), 2, 3])
  func writesAndKernelsKeepTheirOrder(seed: UInt64) throws {
    let openCL = try OpenCL(OpenCLDeviceInfo.all[0])
    let device = Device.openCL(openCL)
    var random = Seeded(seed)
    var live: [(buffer: Buffer, expected: [Float])] = []
    for _ in 0..<(isUnderOclgrind ? 60 : 1500) {
      let count = [1, 7, 64, 500].randomElement(using: &random)!
      let values = (0..<count).map { _ in Float(Int.random(in: -50...50, using: &random)) }
      let buffer = try device.makeBuffer(byteCount: count * 4)
      switch Int.random(in: 0..<4, using: &random) {
      case 0 where !live.isEmpty:  // a kernel between two buffers
        let (source, expected) = live.randomElement(using: &random)!
        let result = try device.makeBuffer(byteCount: expected.count * 4)
        try openCL.launch(
          "scale", [.int(expected.count), .float(-1), .buffer(source), .buffer(result)],
          elements: expected.count)
        live.append((result, expected.map { -$0 }))
      case 1 where !live.isEmpty:  // a new content for an old buffer
        let index = live.indices.randomElement(using: &random)!
        let content = live[index].expected.map { $0 + 1 }
        try content.withUnsafeBytes { try device.write($0, to: live[index].buffer) }
        live[index].expected = content
      default:
        try values.withUnsafeBytes { try device.write($0, to: buffer) }
        live.append((buffer, values))
      }
      if live.count > 12 { live.remove(at: live.indices.randomElement(using: &random)!) }
    }
    for (buffer, expected) in live {
      var values = [Float](repeating: 0, count: expected.count)
      try values.withUnsafeMutableBytes { try device.read(buffer, into: $0) }
      #expect(values == expected)
    }
  }

  /// Larger than one piece, and in all larger than the page-locked memory: then writes wait for the oldest.
  @Test(.enabled(if: !isUnderOclgrind)) func largeWritesArriveWhole() throws {
    let device = Device.openCL(try OpenCL(OpenCLDeviceInfo.all[0]))
    for count in [(4 << 20) - 1, (4 << 20) + 1, 100_000_003] {
      var bytes = [UInt8](repeating: 0, count: count)
      for i in stride(from: 0, to: count, by: 997) { bytes[i] = UInt8(truncatingIfNeeded: i / 997) }
      let buffer = try device.makeBuffer(byteCount: count)
      try bytes.withUnsafeBytes { try device.write($0, to: buffer) }
      #expect(try read(buffer, on: device) == bytes, "\(count) bytes")
    }
  }

  @Test func copiesReachAnOffset() throws {
    for device in [Device.cpu(.shared), .openCL(try OpenCL(OpenCLDeviceInfo.all[0]))] {
      let (one, all) = (try device.makeBuffer(byteCount: 4), try device.makeBuffer(byteCount: 40))
      try [UInt8](repeating: 0, count: 40).withUnsafeBytes { try device.write($0, to: all) }
      try [UInt8](repeating: 7, count: 4).withUnsafeBytes { try device.write($0, to: one) }
      try device.copy(one, to: all, byteCount: 4, targetOffset: 12)
      #expect(try read(all, on: device) == (0..<40).map { (12..<16).contains($0) ? 7 : 0 })
    }
  }
}
