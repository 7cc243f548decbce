import Devices
import FileFormats
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct DeviceTests {
  @Test(arguments: devicesUnderTest)
  func buffersKeepWhatIsWritten(device: Device) throws {
    let values = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let buffer = try device.makeBuffer(byteCount: 1000)
    try values.withUnsafeBytes { try device.write($0, to: buffer) }
    let copy = try device.makeBuffer(byteCount: 1000)
    try device.copy(buffer, to: copy, byteCount: 1000)
    var read = [UInt8](repeating: 0, count: 1000)
    try read.withUnsafeMutableBytes { try device.read(copy, into: $0) }
    #expect(read == values)
    let offset = device.viewAlignment
    let view = try buffer.view(byteOffset: offset, byteCount: 100)
    var part = [UInt8](repeating: 0, count: 100)
    try part.withUnsafeMutableBytes { try device.read(view, into: $0) }
    #expect(part == Array(values[offset..<offset + 100]))
  }

  /// A pooled buffer that is given away while work on it is still queued is not mixed up with its next use.
  @Test(arguments: devicesUnderTest)
  func reusedMemoryKeepsTheOrderOfTheQueue(device: Device) throws {
    let target = try device.makeBuffer(byteCount: 4096)
    for round in 0..<50 {
      let source = try device.makeBuffer(byteCount: 4096)
      try [UInt8](repeating: UInt8(round), count: 4096).withUnsafeBytes { try device.write($0, to: source) }
      try device.copy(source, to: target, byteCount: 4096)
    }
    var read = [UInt8](repeating: 0, count: 4096)
    try read.withUnsafeMutableBytes { try device.read(target, into: $0) }
    #expect(read.allSatisfy { $0 == 49 })
  }

  @Test func derivedFormsFollowTheVersion() throws {
    let device = Device.cpu(.shared)
    let buffer = try device.makeBuffer(byteCount: 16)
    var made = 0
    func derive() throws -> Buffer {
      try buffer.derived("form") {
        made += 1
        return try device.makeBuffer(byteCount: 16)
      }
    }
    _ = try (derive(), derive())
    #expect(made == 2, "activations keep nothing")
    buffer.keepsDerivedForms = true
    _ = try (derive(), derive())
    #expect(made == 3)
    buffer.markChanged()
    _ = try derive()
    #expect(made == 4)
  }

  @Test func namesChooseDevices() throws {
    #expect(try DeviceChoice("cpu").device == .cpu(.shared))
    #expect(throws: TemperError.self) { try DeviceChoice("no such device") }
    #expect(throws: TemperError.self) { try DeviceChoice("opencl:999") }
    #expect(throws: TemperError.self) { try DeviceChoice("opencl:x") }
    let hasGPU = OpenCLDeviceInfo.all.contains { $0.kind == .gpu }
    #expect(try DeviceChoice("auto").device.isGPU == hasGPU)
    if !hasGPU {
      #expect(
        (#expect(throws: TemperError.self) { try DeviceChoice("auto", requireGPU: true) })?.exitCode == 69)
    }
  }

  @Test func freeBlocksServeNearbySizes() throws {
    let cpu = try CPU(threads: 1)
    var first: Buffer? = cpu.makeBuffer(byteCount: 1_000_000)
    let address = first!.address
    #expect(cpu.memory.use.allocations == 1)
    #expect(cpu.memory.use.used >= 1_000_000 && cpu.memory.use.used == cpu.memory.use.peak)
    first = nil
    #expect(cpu.memory.use.used == 0 && cpu.memory.use.held >= 1_000_000)
    var second: Buffer? = cpu.makeBuffer(byteCount: 600_000)  // takes the larger block
    #expect(second!.address == address && cpu.memory.use.allocations == 1)
    second = nil
    #expect(cpu.memory.use.used == 0)
    let third = cpu.makeBuffer(byteCount: 400_000)  // would waste more than half of it
    #expect(third.address != address && cpu.memory.use.allocations == 2)
    let fourth = cpu.makeBuffer(byteCount: 1_000_000)
    #expect(fourth.address == address && cpu.memory.use.allocations == 2)
  }

  @Test func sizeClassesWasteAtMostAnEighth() {
    for size in [1, 256, 257, 1000, 4096, 4097, 123_456, 1 << 20, (1 << 20) + 1] {
      let rounded = BufferPool<HostBlock>.sizeClass(size)
      #expect(rounded >= size && (size <= 256 || Double(rounded) <= Double(size) * 1.126))
      #expect(BufferPool<HostBlock>.sizeClass(rounded) == rounded)
    }
  }
}

@Suite(.enabled(if: !isUnderOclgrind)) struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 16])
  func everyTaskRunsOnce(threads: Int) throws {
    let cpu = try CPU(threads: threads)
    for count in [0, 1, 2, 7, 1000] {
      var runs = [Int32](repeating: 0, count: count)
      runs.withUnsafeMutableBufferPointer { runs in
        let runs = runs.baseAddress
        cpu.parallel(count) { runs![$0] += 1 }
      }
      #expect(runs.allSatisfy { $0 == 1 })
    }
  }

  @Test func nestedAndConcurrentUseIsSafe() async throws {
    let cpu = try CPU(threads: 3)
    let counter = Counter()
    cpu.parallel(8) { _ in cpu.parallel(5) { _ in counter.total.add(1, ordering: .relaxed) } }
    #expect(counter.total.load(ordering: .relaxed) == 40)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<200 { cpu.parallel(6) { _ in counter.total.add(1, ordering: .relaxed) } }
        }
      }
    }
    #expect(counter.total.load(ordering: .relaxed) == 40 + 4 * 200 * 6)
  }

  @Test func senselessThreadCountsThrow() {
    #expect(throws: TemperError.self) { try CPU(threads: 0) }
    #expect(throws: TemperError.self) { try CPU(threads: -1) }
  }
}

private final class Counter: Sendable {
  let total = Atomic<Int>(0)
}
