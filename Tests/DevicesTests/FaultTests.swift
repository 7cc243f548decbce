import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: faults: no OpenCL device"))
struct FaultTests {
  private func open(_ fault: String) throws -> OpenCL {
    try OpenCL(OpenCLDeviceInfo.all[0], cache: nil, faults: try FaultInjection(fault))
  }

  private func launch(_ device: OpenCL, _ buffer: Buffer) throws {
    try device.launch("scale", [.int(4), .float(2), .buffer(buffer), .buffer(buffer)], elements: 4)
  }

  @Test func memoryThatRunsOutIsReportedInFull() throws {
    let openCL = try open("allocation:3")
    let device = Device.openCL(openCL)
    let kept = try (0..<2).map { _ in try device.makeBuffer(byteCount: 1_000_000) }
    let use = device.memoryUse
    let error = #expect(throws: TemperError.self) {
      try device.withBatch(of: 100, fixed: 0) { try device.makeBuffer(byteCount: 2_000_000) }
    }
    #expect(error?.exitCode == 69)
    let text = "\(try #require(error))"
    for word in [
      openCL.info.name, "CL_MEM_OBJECT_ALLOCATION_FAILURE", "\(use.used) bytes are in use",
      "\(openCL.info.globalMemory / 1_000_000) MB", "\(openCL.info.maximumAllocation / 1_000_000) MB",
      "at most about 50 would have fitted",
    ] {
      #expect(text.contains(word), "\(word): \(text)")
    }
    #expect(device.memoryUse.used == use.used && device.memoryUse.held == use.held, "nothing was taken")
    withExtendedLifetime(kept) {}
  }

  /// Where a driver looks for memory only when a kernel uses a buffer, as above; what is free is given back first.
  @Test func memoryThatRunsOutInALaunchIsReportedInFull() throws {
    let openCL = try open("shortage:scale:2")
    let device = Device.openCL(openCL)
    let large = try device.makeBuffer(byteCount: 8 << 20)
    let buffer = try device.makeBuffer(byteCount: 3 << 20)
    let kept = try device.makeBuffer(byteCount: 1 << 20)
    _ = try device.makeBuffer(byteCount: 2 << 20)
    // What a kernel only reads is no result.
    func launch(_ result: Buffer) throws {
      try openCL.launch("scale", [.int(4), .float(2), .buffer(large), .buffer(result)], elements: 4)
    }
    try launch(buffer)
    #expect(device.memoryUse.held > device.memoryUse.used || isUnderOclgrind)
    let error = #expect(throws: TemperError.self) {
      try device.withBatch(of: 100, fixed: large.byteCount) { try launch(buffer) }
    }
    #expect(error?.exitCode == 69)
    let text = "\(try #require(error))"
    for word in [
      openCL.info.name, "CL_MEM_OBJECT_ALLOCATION_FAILURE", "no room for", "are in use",
      "at most about 25 would have fitted",
    ] {
      #expect(text.contains(word), "\(word): \(text)")
    }
    #expect(device.memoryUse.held == device.memoryUse.used, "what was free has been given back")
    withExtendedLifetime(kept) {}
  }

  /// On NVIDIA this status hides what happened.
  @Test func outOfResourcesIsExplained() throws {
    let error = #expect(throws: TemperError.self) { try OpenCL.check(-5, "clFinish") }
    #expect(error?.remedy?.contains("accessed memory out of bounds") == true)
  }

  @Test func fittingBatchesAreLinear() {
    func fitting(_ asked: Int, _ used: Int, fixed: Int, largest: Int = 1_000_000) -> Int {
      AllocationFailure(asked: asked, used: used, total: 1_000_000, largest: largest)
        .fittingBatch(of: 64, fixed: fixed)
    }
    #expect(fitting(100, 300, fixed: 0) == 48)
    #expect(fitting(100, 400, fixed: 100) == 48)
    #expect(fitting(1, 1_000_000, fixed: 0) == 63, "never the batch that failed")
    #expect(fitting(100, 300, fixed: 0, largest: 25) == 16, "a block alone can be too large")
    #expect(fitting(100, 300, fixed: 300) == 0)
    #expect(fitting(1000, 300, fixed: 295) == 0)
  }

  /// After a failed launch every later call fails.
  @Test func aLostDeviceStaysLost() throws {
    let openCL = try open("launch:scale:3")
    let device = Device.openCL(openCL)
    let buffer = try device.makeBuffer(byteCount: 64)
    try launch(openCL, buffer)
    try launch(openCL, buffer)
    try device.synchronize()
    let error = #expect(throws: TemperError.self) { try launch(openCL, buffer) }
    #expect(error?.exitCode == 69 && "\(error!)".contains("CL_DEVICE_NOT_AVAILABLE"))
    #expect("\(error!)".contains("launch of scale") && "\(error!)".contains("device was lost"))
    #expect(throws: TemperError.self) { try device.synchronize() }
    #expect(throws: TemperError.self) { try launch(openCL, buffer) }
  }

  /// A kernel that fails later is reported by the next call that waits.
  @Test func failuresAfterTheFactAreFound() throws {
    let openCL = try open("event:*:2")
    let device = Device.openCL(openCL)
    let buffer = try device.makeBuffer(byteCount: 64)
    for _ in 0..<3 { try launch(openCL, buffer) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let error = #expect(throws: TemperError.self) {
      try bytes.withUnsafeMutableBytes { try device.read(buffer, into: $0) }
    }
    #expect(error?.exitCode == 69)
    #expect(throws: TemperError.self) { try launch(openCL, buffer) }
  }

  @Test func bothShapesWrongIsAnError() throws {
    let openCL = try OpenCL(OpenCLDeviceInfo.all[0], kernelShape: .gpu, cache: nil)
    #expect(openCL.isEnabled("gpu") && openCL.isEnabled("tiles"))
    try openCL.disable("tiles")
    #expect(!openCL.isEnabled("tiles") && openCL.kernelShape == .gpu)
    try openCL.disable("gpu")
    #expect(openCL.kernelShape == .cpu)
    #expect((#expect(throws: TemperError.self) { try openCL.disable("cpu") })?.exitCode == 69)
  }

  @Test func unknownFaultsAreRefused() throws {
    for text in ["", "allocation", "allocation:x", "launch:scale", "launch:scale:x", "build", "fire:3"] {
      #expect((#expect(throws: TemperError.self) { try FaultInjection(text) })?.kind == .usage, "\(text)")
    }
  }
}
