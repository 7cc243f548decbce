import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  struct Stop: Error {}

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 300_000]) func roundTrips(count: Int) throws {
    try withTemporaryFolder { folder in
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      try AtomicFile.write(bytes, to: folder + "/data")
      #expect(try InputFile.read(folder + "/data") == bytes)
      #expect(try names(folder) == ["data"])
    }
  }

  @Test func piecesArriveInOrder() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/text"
      let lines = (0..<20_000).map { "line \($0)\n" }
      let count = try AtomicFile.write(to: path) { writer in
        for line in lines { try writer.write(line) }
        try writer.write([UInt8](repeating: 46, count: 200_000))
        return lines.count
      }
      #expect(count == 20_000)
      let expected = Array(lines.joined().utf8) + [UInt8](repeating: 46, count: 200_000)
      #expect(try InputFile.read(path) == expected)
    }
  }

  @Test func checksLeaveNothingBehind() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/data")
      try AtomicFile.checkWritable(folder + "/data")
      try AtomicFile.checkWritable(folder + "/new")
      try AtomicFile.checkWritable("/dev/null")
      try AtomicFile.checkFolder(folder)
      try AtomicFile.checkFolder(folder + "/a/b/c")
      #expect(try names(folder) == ["data"])
      #expect(try InputFile.read(folder + "/data") == Array("old".utf8))
      for path in [folder, folder + "/none/new", folder + "/data/new"] {
        let error = #expect(throws: TemperError.self) { try AtomicFile.checkWritable(path) }
        #expect(error?.kind == .io && error?.file == path)
      }
      for path in [folder + "/data", folder + "/data/a/b"] {
        let error = #expect(throws: TemperError.self) { try AtomicFile.checkFolder(path) }
        #expect(error?.kind == .io && error?.file == path)
      }
    }
  }

  @Test func errorInTheBodyLeavesTheOldFile() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/data")
      for path in [folder + "/data", folder + "/new"] {
        #expect(throws: Stop.self) {
          try AtomicFile.write(to: path) { writer in
            try writer.write([UInt8](repeating: 1, count: 100_000))
            throw Stop()
          }
        }
      }
      #expect(try names(folder) == ["data"])
      #expect(try InputFile.read(folder + "/data") == Array("old".utf8))
    }
  }

  @Test func keepsPermissionsAndLinks() throws {
    try withTemporaryFolder { folder in
      let (path, link) = (folder + "/data", folder + "/link")
      try AtomicFile.write("old", to: path)
      chmod(path, 0o640)
      symlink("data", link)
      try AtomicFile.write("new", to: link)
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o640)
      #expect(try InputFile.read(path) == Array("new".utf8))
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "data")
    }
  }

  @Test func namesTheFileAndTheRemedy() throws {
    try withTemporaryFolder { folder in
      for path in [folder, folder + "/none/data", folder + "/" + String(repeating: "x", count: 300)] {
        let error = #expect(throws: TemperError.self) { try AtomicFile.write("text", to: path) }
        #expect(error?.kind == .io)
        #expect(error?.file == path)
      }
      let left = try names(folder)
      #expect(left.isEmpty)
    }
  }

  #if os(Linux)
    /// `/dev/full` fails every write as a full disk does; being a device it is written directly.
    @Test func fullDiskIsAnError() throws {
      for count in [1, 100_000] {
        let error = #expect(throws: TemperError.self) {
          try AtomicFile.write([UInt8](repeating: 1, count: count), to: "/dev/full")
        }
        #expect(error?.kind == .io)
        #expect(error?.file == "/dev/full")
        #expect(error?.message.contains("the disk is full") == true)
        #expect(error?.remedy?.contains("Free some space") == true)
      }
      try AtomicFile.write("gone", to: "/dev/null")
      #expect(
        try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType
          == .typeCharacterSpecial)
    }
  #endif

  /// In a process of its own that may write files of 4096 bytes only.
  @Test func writingThatFailsHalfwayLeavesNothing() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      try withTemporaryFolder { folder in
        try AtomicFile.write("old", to: folder + "/data")
        var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
        #if os(Linux)
          let resource = __rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue))
        #else
          let resource = RLIMIT_FSIZE
        #endif
        guard setrlimit(resource, &limit) == 0 else { exit(2) }
        try AtomicFile.write([UInt8](repeating: 1, count: 4096), to: folder + "/small")
        for path in [folder + "/data", folder + "/new"] {
          do {
            try AtomicFile.write([UInt8](repeating: 1, count: 5000), to: path)
            exit(3)
          } catch let error as TemperError {
            guard error.kind == .io, error.file == path, error.remedy != nil else { exit(4) }
          }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        guard names == ["data", "small"] else { exit(5) }
        guard try InputFile.read(folder + "/data") == Array("old".utf8) else { exit(6) }
      }
    }
  }
}

@Suite struct InputFileTests {
  @Test func namesWhatIsWrong() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("text", to: folder + "/file")
      for (path, kind) in [
        (folder + "/none", TemperError.Kind.missingInput), (folder + "/file/x", .missingInput), (folder, .io),
      ] {
        let error = #expect(throws: TemperError.self) { try InputFile.read(path) }
        #expect(error?.kind == kind)
        #expect(error?.file == path)
        #expect(error?.remedy != nil)
      }
      let error = #expect(throws: TemperError.self) {
        try InputFile.read(folder + "/none", remedy: "Get it.")
      }
      #expect(error?.remedy == "Get it.")
      #if os(Linux)
        let device = #expect(throws: TemperError.self) { try InputFile.read("/dev/zero") }
        #expect(device?.kind == .io)
      #endif
    }
  }

  @Test func refusesAFileWithoutPermission() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try AtomicFile.write("text", to: path)
      chmod(path, 0)
      // Root may read it all the same.
      if geteuid() == 0 {
        #expect(try InputFile.read(path).count == 4)
      } else {
        let error = #expect(throws: TemperError.self) { try InputFile.read(path) }
        #expect(error?.kind == .io)
      }
    }
  }
}
