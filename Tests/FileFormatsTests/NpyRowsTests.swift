import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct NpyRowsTests {
  @Test func rowsAreThoseOfTheArray() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npy"
      let values = (0..<60).map { Float($0) }
      try NpyArray(shape: [5, 3, 4], .float32(values)).write(to: path)
      let rows = try NpyRows(contentsOf: path)
      #expect(rows.shape == [5, 3, 4])
      for range in [0..<5, 2..<3, 4..<5, 1..<1] {
        #expect(try rows.floats(range) == Array(values[range.lowerBound * 12..<range.upperBound * 12]))
      }
      try NpyArray(shape: [2, 2], .float64([1, 2, 3, 4])).write(to: path)
      #expect(try NpyRows(contentsOf: path).floats(1..<2) == [3, 4])
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npy"
      try NpyArray(shape: [4, 2], .float32([1, 2, 3, 4, 5, 6, 7, 8])).write(to: path)
      let bytes = try InputFile.read(path)
      for damaged in [Array(bytes.dropLast()), bytes + [0], Array(bytes[..<50]), [], Array("text".utf8)] {
        try AtomicFile.write(damaged, to: path)
        let error = #expect(throws: TemperError.self) { try NpyRows(contentsOf: path) }
        #expect(error?.kind == .badData)
      }
      #expect(
        #expect(throws: TemperError.self) { try NpyRows(contentsOf: folder + "/none.npy") }?.kind
          == .missingInput)
      #expect(#expect(throws: TemperError.self) { try NpyRows(contentsOf: folder) }?.kind == .io)
      // Integers have no floats, and a file that gets shorter is noticed.
      try NpyArray(shape: [2], .int32([1, 2])).write(to: path)
      let integers = try NpyRows(contentsOf: path)
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
