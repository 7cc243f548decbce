import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct ArrayRowsTests {
  @Test func rowsAreThoseOfTheArray() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npy"
      let values = (0..<60).map { Float($0) }
      try NpyArray(shape: [5, 3, 4], .float32(values)).write(to: path)
      let rows = try ArrayRows(npy: path)
      #expect(rows.shape == [5, 3, 4])
      for range in [0..<5, 2..<3, 4..<5, 1..<1] {
        #expect(try rows.floats(range) == Array(values[range.lowerBound * 12..<range.upperBound * 12]))
      }
      try NpyArray(shape: [2, 2], .float64([1, 2, 3, 4])).write(to: path)
      #expect(try ArrayRows(npy: path).floats(1..<2) == [3, 4])
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npy"
      try NpyArray(shape: [4, 2], .float32([1, 2, 3, 4, 5, 6, 7, 8])).write(to: path)
      let bytes = try InputFile.read(path)
      for damaged in [Array(bytes.dropLast()), bytes + [0], Array(bytes[..<50]), [], Array("text".utf8)] {
        try AtomicFile.write(damaged, to: path)
        let error = #expect(throws: TemperError.self) { try ArrayRows(npy: path) }
        #expect(error?.kind == .badData)
      }
      #expect(
        #expect(throws: TemperError.self) { try ArrayRows(npy: folder + "/none.npy") }?.kind
          == .missingInput)
      #expect(#expect(throws: TemperError.self) { try ArrayRows(npy: folder) }?.kind == .io)
      // Integers have no floats, and a file that gets shorter is noticed.
      try NpyArray(shape: [2], .int32([1, 2])).write(to: path)
      let integers = try ArrayRows(npy: path)
      #expect(throws: TemperError.self) { try integers.floats(0..<2) }
    }
  }

  @Test func piecesMakeTheFile() throws {
    try withTemporaryFolder { folder in
      let (path, whole) = (folder + "/x.npy", folder + "/y.npy")
      try NpyArray.write(shape: [3, 2], to: path) { append in
        try append([1, 2])
        try append([3, 4, 5, 6])
      }
      try NpyArray(shape: [3, 2], .float32([1, 2, 3, 4, 5, 6])).write(to: whole)
      #expect(try InputFile.read(path) == InputFile.read(whole))
      struct Stop: Error {}
      #expect(throws: Stop.self) {
        try NpyArray.write(shape: [3, 2], to: folder + "/z.npy") { append in
          try append([1, 2])
          throw Stop()
        }
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/z.npy"))
    }
  }
}

/// Arrays in files that hold several.
@Suite struct ArchiveRowsTests {
  private static let floats = (0..<3000).map { Float($0 % 97) / 8 }
  private static let ids = (0..<1000).map { Int64($0 * 3 - 7) }

  @Test func rowsOfSafetensorsAreThoseOfTheArray() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.safetensors"
      var file = Safetensors(metadata: ["model": "none"])
      try file.append("logits", shape: [1000, 3], floats: Self.floats)
      try file.append("ids", shape: [1000], int64s: Self.ids)
      try file.write(to: path)
      let opened = try SafetensorsFile(contentsOf: path)
      #expect(Set(opened.names) == ["logits", "ids"] && opened.metadata == ["model": "none"])
      try expectRows(try opened.rows(of: "logits"), try opened.rows(of: "ids"))
      let missing = #expect(throws: TemperError.self) { try opened.rows(of: "labels") }
      #expect(missing?.field == "labels" && missing?.description.contains("logits") == true)
      let bytes = try InputFile.read(path)
      for damaged in [Array(bytes.dropLast()), bytes + [0], Array(bytes[..<50]), [], Array("text".utf8)] {
        try AtomicFile.write(damaged, to: path)
        let error = #expect(throws: TemperError.self) { try SafetensorsFile(contentsOf: path) }
        #expect(error?.kind == .badData)
      }
    }
  }

  @Test func rowsOfStoredArchivesAreThoseOfTheArray() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npz"
      let bytes = NpzArchive.serialized([
        (name: "logits", array: try NpyArray(shape: [1000, 3], .float32(Self.floats))),
        (name: "ids", array: try NpyArray(shape: [1000], .int64(Self.ids))),
      ])
      try AtomicFile.write(bytes, to: path)
      let archive = try NpzArchive(contentsOf: path)
      try expectRows(try archive.rows(of: "logits"), try archive.rows(of: "ids"))
      var damaged = bytes
      damaged[5000] ^= 1
      try AtomicFile.write(damaged, to: path)
      let error = #expect(throws: TemperError.self) { try NpzArchive(contentsOf: path).rows(of: "logits") }
      #expect(error?.description.contains("checksum") == true)
    }
  }

  /// In memory and in a temporary file, of an archive that numpy.savez_compressed wrote.
  @Test(arguments: [0, 100, 1 << 30])
  func deflatedArraysAreUnpackedPieceByPiece(mostInMemory: Int) throws {
    let path = formatFixture("").replacing("FileFormats", with: "Logits")
    let deflated = try NpzArchive(contentsOf: path + "deflated.npz")
    let stored = try NpzArchive(contentsOf: path + "stored.npz")
    for name in stored.names {
      let (rows, array) = (
        try deflated.rows(of: name, mostInMemory: mostInMemory), try stored.array(name)
      )
      #expect(rows.shape == array.shape)
      if case .float32(let values) = array.elements {
        #expect(try rows.floats(0..<rows.count) == values)
        #expect(try rows.floats(3..<5) == Array(values[3 * array.shape[1]..<5 * array.shape[1]]))
      } else {
        #expect(try rows.int64s(0..<rows.count) == array.int64s())
      }
    }
  }

  @Test func columnMajorRowsAreReorderedOnRequest() throws {
    let path = formatFixture("f8_column_major.npy")
    #expect(throws: TemperError.self) { try ArrayRows(npy: path) }
    let rows = try ArrayRows(npy: path, reordersColumns: true)
    let all = try NpyArray(contentsOf: path).floats()
    #expect(rows.count > 1 && all.count > rows.count)
    #expect(try rows.floats(1..<rows.count) == Array(all[(all.count / rows.count)...]))
  }

  private func expectRows(_ logits: ArrayRows, _ ids: ArrayRows) throws {
    #expect(logits.shape == [1000, 3] && logits.count == 1000 && ids.shape == [1000])
    for range in [0..<1000, 0..<1, 999..<1000, 17..<400, 5..<5] {
      #expect(try logits.floats(range) == Array(Self.floats[3 * range.lowerBound..<3 * range.upperBound]))
      #expect(try ids.int64s(range) == Array(Self.ids[range]))
      #expect(try ids.int32s(range) == Self.ids[range].map { Int32($0) })
    }
    #expect(throws: TemperError.self) { try logits.int64s(0..<1) }
    #expect(throws: TemperError.self) { try ids.floats(0..<1) }
  }
}
