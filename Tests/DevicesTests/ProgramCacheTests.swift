import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct ProgramCacheTests {
  private let key = ["source", "options", "device", "driver 1"]
  private let content = (0..<5000).map { UInt8(truncatingIfNeeded: $0 * 31 / 7) }

  @Test func entriesComeBack() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder + "/made/here")
      #expect(cache.binary(for: key) == nil && !cache.contains(key))
      cache.store(content, for: key)
      #expect(cache.binary(for: key) == content && cache.contains(key))
      cache.store([], for: key)
      #expect(cache.binary(for: key) == [])
    }
  }

  /// Every set of options has its own entry, and none is taken for another's.
  @Test func variantsAndDriversAreApart() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder)
      let variants = (0..<100).map {
        ["source", "-DTILE=\($0 / 10) -DDEPTH=\($0 % 10)", "device", "driver 1"]
      }
      for (index, variant) in variants.enumerated() { cache.store([UInt8(index)], for: variant) }
      for (index, variant) in variants.enumerated() { #expect(cache.binary(for: variant) == [UInt8(index)]) }
      let count = try entries(folder)
      #expect(count == 100)
      for place in 0..<4 {
        var other = variants[0]
        other[place] += " "
        #expect(cache.binary(for: other) == nil)
      }
      // Words that move from one part of the key to the next make another key.
      #expect(cache.binary(for: ["source-DTILE=0 -DDEPTH=0", "", "device", "driver 1"]) == nil)
    }
  }

  @Test func damagedEntriesAreIgnored() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder)
      cache.store(content, for: key)
      let whole = try InputFile.read(cache.path(key))
      for length in [0, 1, 8, 71, 72, 73, whole.count / 2, whole.count - 1] {
        try AtomicFile.write(Array(whole[..<length]), to: cache.path(key))
        #expect(cache.binary(for: key) == nil, "cut to \(length) bytes")
      }
      for place in [0, 7, 8, 40, 71, 72, 1000, whole.count - 1] {
        var flipped = whole
        flipped[place] ^= 1
        try AtomicFile.write(flipped, to: cache.path(key))
        #expect(cache.binary(for: key) == nil, "byte \(place)")
      }
      try AtomicFile.write(whole + [0], to: cache.path(key))
      #expect(cache.binary(for: key) == nil)
      cache.store(content, for: key)
      #expect(cache.binary(for: key) == content)
    }
  }

  /// Writers of one entry never show a reader half of it, and leave nothing else behind.
  @Test func concurrentWritersAreSafe() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder)
      let contents = (0..<4).map { writer in [UInt8](repeating: UInt8(writer), count: 200_000 + writer) }
      let broken = Counted()
      cache.store(contents[0], for: key)
      DispatchQueue.concurrentPerform(iterations: 8) { thread in
        for _ in 0..<8 {
          if thread < 4 {
            cache.store(contents[thread], for: key)
          } else if !contents.contains(cache.binary(for: key) ?? []) {
            broken.add()
          }
        }
      }
      #expect(broken.count == 0)
      let count = try entries(folder)
      #expect(count == 1)
    }
  }

  @Test func foldersThatCannotBeWrittenAreNoError() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("a file", to: folder + "/file")
      let cache = ProgramCache(folder: folder + "/file/cache")
      cache.store(content, for: key)
      #expect(cache.binary(for: key) == nil && !cache.contains(key))
    }
  }
}

/// A count that several threads raise.
private final class Counted: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0
  var count: Int { lock.withLock { value } }
  func add() { lock.withLock { value += 1 } }
}

@Suite(
  .serialized, .enabled(if: !OpenCLDeviceInfo.all.isEmpty && !isUnderOclgrind, "SKIPPED: programs: no OpenCL")
)
struct ProgramTests {
  /// y = 2 x on a device; launched with macros that the kernel does not use.
  private func double(_ device: OpenCL, defines: [String: Int] = [:]) throws -> [Float] {
    let (x, y) = (try device.makeBuffer(byteCount: 40), try device.makeBuffer(byteCount: 40))
    let openCL = Device.openCL(device)
    try (0..<10).map { Float($0) }.withUnsafeBytes { try openCL.write($0, to: x) }
    try device.launch(
      "scale", [.int(10), .float(2), .buffer(x), .buffer(y)], global: [10], local: [1], defines: defines)
    var result = [Float](repeating: 0, count: 10)
    try result.withUnsafeMutableBytes { try openCL.read(y, into: $0) }
    return result
  }

  private let doubled = (0..<10).map { Float(2 * $0) }

  /// A second device takes binaries from the cache; each set of macros has one; a damaged one is compiled anew.
  @Test func binariesAreKept() throws {
    try withTemporaryFolder { folder in
      let cache = ProgramCache(folder: folder)
      func open() throws -> OpenCL {
        try OpenCL(OpenCLDeviceInfo.all[0], cache: cache, storesBinaries: true)
      }
      let first = try open()
      for variant in 0..<3 { #expect(try double(first, defines: ["VARIANT": variant]) == doubled) }
      for _ in 0..<2 { #expect(try double(first) == doubled) }
      #expect(first.programUse.built == 4 && first.programUse.loaded == 0)
      let second = try open()
      for variant in 0..<3 { #expect(try double(second, defines: ["VARIANT": variant]) == doubled) }
      #expect(second.programUse.built == 0 && second.programUse.loaded == 3)
      for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
        let bytes = try InputFile.read(folder + "/" + file)
        try AtomicFile.write(Array(bytes.dropLast()), to: folder + "/" + file)
      }
      let third = try open()
      #expect(try double(third) == doubled)
      #expect(third.programUse.built == 1 && third.programUse.loaded == 0)
      let fourth = try open()
      #expect(try double(fourth) == doubled)
      #expect(fourth.programUse.built == 0 && fourth.programUse.loaded == 1)
    }
  }

  /// A binary whose checksum is right but that the driver refuses is replaced.
  @Test func binariesThatTheDriverRefusesAreReplaced() throws {
    try withTemporaryFolder { folder in
      let info = OpenCLDeviceInfo.all[0]
      let cache = ProgramCache(folder: folder)
      let key = [KernelSources.families["elementwise"]!, "-cl-std=CL1.2 -w"] + info.identity
      cache.store(Array("no program".utf8), for: key)
      let device = try OpenCL(info, kernelShape: .gpu, cache: cache, storesBinaries: true)
      #expect(try double(device) == doubled)
      #expect(device.programUse.built == 1)
      #expect((cache.binary(for: key)?.count ?? 0) > 100)
    }
  }

  /// All families of the shape are compiled ahead, once; the other shape's are not.
  @Test(arguments: OpenCL.KernelShape.allCases)
  func programsAreCompiledAhead(shape: OpenCL.KernelShape) throws {
    try withTemporaryFolder { folder in
      let families = KernelSources.families(for: shape)
      let other = shape == .cpu ? "gpu" : "cpu"
      #expect(families.contains("matmul_\(shape)") && families.contains("elementwise"))
      #expect(families.allSatisfy { !$0.hasSuffix(other) })
      let cache = ProgramCache(folder: folder)
      let calls = Calls()
      let device = try OpenCL(OpenCLDeviceInfo.all[0], kernelShape: shape, cache: cache)
      let variants = families.map { ProgramVariant($0) } + [ProgramVariant("elementwise", ["TILE": 4])]
      device.compileAhead(variants) { calls.add($0, $1) }
      #expect(device.programUse.built == variants.count)
      #expect(calls.all.map(\.0) == Array(0...variants.count))
      #expect(calls.all.allSatisfy { $0.1 == variants.count })
      let count = try entries(folder)
      #expect(count == variants.count)
      #expect(try double(device) == doubled)
      #expect(device.programUse.built == variants.count)
      let next = try OpenCL(OpenCLDeviceInfo.all[0], kernelShape: shape, cache: cache)
      next.compileAhead(variants) { calls.add($0, $1) }
      #expect(calls.all.count == variants.count + 1 && next.programUse == ProgramUse())
    }
  }

  @Test func aFailedBuildNamesItsFileOptionsAndLog() throws {
    try withTemporaryFolder { folder in
      let device = try OpenCL(
        OpenCLDeviceInfo.all[0], cache: ProgramCache(folder: folder),
        faults: FaultInjection(.build(family: "elementwise")))
      device.compileAhead([ProgramVariant("elementwise")])  // leaves the failure to the first use
      let error = #expect(throws: TemperError.self) { try double(device, defines: ["TILE": 3]) }
      #expect(error?.exitCode == 69)
      let text = "\(try #require(error))"
      for word in [
        "elementwise.cl", "-DTILE=3", "CL_BUILD_PROGRAM_FAILURE", folder + "/build-elementwise.log",
      ] {
        #expect(text.contains(word), "\(text)")
      }
      let log = try String(contentsOfFile: folder + "/build-elementwise.log", encoding: .utf8)
      #expect(log.contains("-DTILE=3") && log.contains("broken on purpose"))
    }
  }

  @Test func aFaultCanConcernOneVariantOfAProgram() throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], cache: nil, faults: FaultInjection("build:elementwise:TILE=3"))
    for tile in [30, 2] { #expect(try double(device, defines: ["TILE": tile]) == doubled) }
    #expect(throws: TemperError.self) { try double(device, defines: ["TILE": 3]) }
  }
}

/// Calls of a progress closure, from several threads.
private final class Calls: @unchecked Sendable {
  private let lock = NSLock()
  private var calls: [(Int, Int)] = []
  var all: [(Int, Int)] { lock.withLock { calls } }
  func add(_ done: Int, _ count: Int) { lock.withLock { calls.append((done, count)) } }
}

/// The number of files in a folder.
private func entries(_ folder: String) throws -> Int {
  try FileManager.default.contentsOfDirectory(atPath: folder).count
}
