import FileFormats
import Foundation
import Logits
import TestSupport
import Testing

/// Tables as other frameworks write them: `.npz`, and `.npy` files that are thinned.
@Suite struct LargeTableTests {
  @Test(arguments: ["stored.npz", "deflated.npz"])
  func archivesHoldTheTable(name: String) throws {
    var expected = try LogitTable(contentsOf: fixture("Logits/standard.safetensors"))
    expected.provenance = [:]
    #expect(try LogitTable(contentsOf: fixture("Logits/" + name)) == expected)
  }

  @Test func damagedArchivesAreRefused() throws {
    for name in ["stored.npz", "deflated.npz"] {
      let bytes = try InputFile.read(fixture("Logits/" + name))
      // Every cut, and every flipped byte: an error or, where a flip hits what nobody reads, the same table.
      let expected = try LogitTable(contentsOf: fixture("Logits/" + name))
      try withTemporaryFolder { folder in
        let path = folder + "/t.npz"
        for length in stride(from: 0, to: bytes.count, by: 7) {
          try AtomicFile.write(Array(bytes[..<length]), to: path)
          let error = #expect(throws: TemperError.self, "\(length) bytes") {
            try LogitTable(contentsOf: path)
          }
          #expect(error?.kind == .badData)
        }
        for place in stride(from: 0, to: bytes.count, by: 5) {
          var damaged = bytes
          damaged[place] ^= 0x55
          try AtomicFile.write(damaged, to: path)
          do {
            #expect(try LogitTable(contentsOf: path).logits == expected.logits, "byte \(place)")
          } catch let error as TemperError { #expect(error.kind == .badData, "byte \(place)") }
        }
      }
    }
  }

  @Test func writtenArchivesAreRead() throws {
    let arrays: [(name: String, array: NpyArray)] = [
      ("a", try NpyArray(shape: [2, 3], .float32([1, 2, 3, 4, 5, 6]))),
      ("empty", try NpyArray(shape: [0], .int64([]))), ("ids", try NpyArray(shape: [2], .int64([7, -1]))),
    ]
    let archive = try NpzArchive(bytes: NpzArchive.serialized(arrays))
    #expect(archive.names == ["a", "empty", "ids"])
    for (name, array) in arrays { #expect(try archive.array(name) == array) }
  }

  @Test func missingArraysAreNamed() throws {
    let error = #expect(throws: TemperError.self) {
      try NpzArchive(contentsOf: fixture("Logits/stored.npz")).array("scores")
    }
    #expect(error?.description.contains("scores") == true && error?.description.contains("logits") == true)
  }

  @Test(arguments: [1, 3, 7, 99, 100, 101, 1000])
  func everyNthSampleIsKept(most: Int) throws {
    let all = try LogitTable(
      logits: (0..<300).map { Float($0) }, classCount: 3, labels: (0..<100).map { Int32($0 % 3) })
    try withTemporaryFolder { folder in
      try all.write(to: folder + "/t.npy", labels: folder + "/y.npy")
      try all.write(to: folder + "/t.safetensors")
      let step = (100 + most - 1) / most
      for (name, labels) in [("t.npy", folder + "/y.npy"), ("t.safetensors", nil)] {
        var thinned = try LogitTable(contentsOf: "\(folder)/\(name)", labels: labels, mostSamples: most)
        #expect(thinned.sampleCount <= most)
        #expect(thinned.provenance["samples"] == (step > 1 ? "every \(step)th of 100" : nil))
        thinned.provenance = [:]
        #expect(thinned == all.selecting(Array(stride(from: 0, to: 100, by: step))))
      }
    }
  }

  /// Rows across the pieces in which a file is read.
  @Test func rowsAcrossPiecesAreWhole() throws {
    let values = (0..<200_003 * 3).map { Float($0) }
    try withTemporaryFolder { folder in
      let path = folder + "/t.npy"
      try NpyArray(shape: [200_003, 3], .float32(values)).write(to: path)
      let (array, count, step) = try NpyArray.thinned(contentsOf: path, mostRows: 50_000)
      #expect(count == 200_003 && step == 5 && array.shape == [40_001, 3])
      let kept = try array.floats()
      #expect(
        (0..<40_001).allSatisfy { row in (0..<3).allSatisfy { kept[row * 3 + $0] == Float(row * 15 + $0) } })
      let bytes = try InputFile.read(path)
      for damaged in [Array(bytes.dropLast()), bytes + [0], Array(bytes[..<20])] {
        try AtomicFile.write(damaged, to: path)
        #expect(throws: TemperError.self) { try NpyArray.thinned(contentsOf: path, mostRows: 50_000) }
      }
    }
  }

  @Test func labelsOfAnotherNumberAreRefused() throws {
    try withTemporaryFolder { folder in
      try NpyArray(shape: [4, 2], .float32([1, 2, 3, 4, 5, 6, 7, 8])).write(to: folder + "/t.npy")
      try NpyArray(shape: [3], .int32([0, 1, 0])).write(to: folder + "/y.npy")
      let error = #expect(throws: TemperError.self) {
        try LogitTable(contentsOf: folder + "/t.npy", labels: folder + "/y.npy", mostSamples: 2)
      }
      #expect(error?.description.contains("3 for 4 samples") == true)
    }
  }
}
