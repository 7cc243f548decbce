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

  @Test func labelsOfAnotherNumberAreRefused() throws {
    try withTemporaryFolder { folder in
      try NpyArray(shape: [4, 2], .float32([1, 2, 3, 4, 5, 6, 7, 8])).write(to: folder + "/t.npy")
      try NpyArray(shape: [3], .int32([0, 1, 0])).write(to: folder + "/y.npy")
      let error = #expect(throws: TemperError.self) {
        try LogitTable(contentsOf: folder + "/t.npy", labels: folder + "/y.npy")
      }
      #expect(error?.description.contains("3 for 4 samples") == true)
    }
  }

  /// More logits than are read at a time.
  private static let wide = try! (0..<2).map {
    try randomTable(samples: 2500, classes: 1000, scale: $0 == 0 ? 3 : 1.5, seed: 5)
  }

  @Test func filesInPiecesHaveTheFiguresOfTables() throws {
    let expected = try LogitStudy(standard: [Self.wide[0]], robust: [Self.wide[1]])
    try withTemporaryFolder { folder in
      for (index, table) in Self.wide.enumerated() {
        try table.write(to: "\(folder)/\(index).safetensors")
        try table.write(to: "\(folder)/\(index).npy", labels: folder + "/y.npy")
        let arrays: [(name: String, array: NpyArray)] = [
          ("logits", try NpyArray(shape: [2500, 1000], .float32(table.logits))),
          ("labels", try NpyArray(shape: [2500], .int32(table.labels!))),
        ]
        try AtomicFile.write(NpzArchive.serialized(arrays), to: "\(folder)/\(index).npz")
      }
      for (ending, labels) in [("safetensors", nil), ("npz", nil), ("npy", folder + "/y.npy")] {
        let files = try (0..<2).map { try LogitFile("\(folder)/\($0).\(ending)", labels: labels) }
        #expect(try files[1].table().logits == Self.wide[1].logits)
        let study = try LogitStudy(standard: [files[0]], robust: [files[1]])
        #expect(study.thinned == nil)
        #expect(study.effects == expected.effects, "\(ending)")
        #expect(study.standardCalibration == expected.standardCalibration, "\(ending)")
        #expect(study.agreement == expected.agreement && study.classes == expected.classes, "\(ending)")
        #expect(study.pairs.map(\.all) == expected.pairs.map(\.all), "\(ending)")
        #expect(study.shift == expected.shift && study.orderings == expected.orderings, "\(ending)")
      }
    }
  }

  /// Every row of a table of several pieces has the measures of a table of its own.
  @Test func piecesMeetWithoutGap() throws {
    let table = Self.wide[0]
    let gaps = table.measures().values(.crossEntropy)!
    for row in [0, 1047, 1048, 1049, 2095, 2096, 2097, 2499] {
      let alone = try LogitTable(
        logits: Array(table.row(row)), classCount: 1000, labels: [table.labels![row]])
      #expect(alone.measures().values(.crossEntropy) == [gaps[row]])
    }
  }

  @Test func damagedLogitsAreFoundInEveryPiece() throws {
    try withTemporaryFolder { folder in
      var logits = Self.wide[0].logits
      logits[2_400_003] = .nan
      try NpyArray(shape: [2500, 1000], .float32(logits)).write(to: folder + "/t.npy")
      let file = try LogitFile(folder + "/t.npy")
      let error = #expect(throws: TemperError.self) {
        try LogitStudy(standard: [file], robust: [Self.wide[1]])
      }
      #expect(error?.file == folder + "/t.npy" && error?.description.contains("row 2400, class 3") == true)
    }
  }

  /// Two networks whose tables hold the same samples, in another order.
  private static let networks: [LogitTable] = try! {
    let a = try randomTable(samples: 1000, classes: 5)
    let b = try LogitTable(
      logits: zip(a.logits, try randomTable(samples: 1000, classes: 5, seed: 8).logits).map { 0.4 * $0 + $1 },
      classCount: 5, labels: a.labels, sampleIDs: a.sampleIDs)
    return [a, b.selecting((0..<1000).map { ($0 * 7 + 3) % 1000 })]
  }()

  @Test func thinningPicksTheSameIDsInAllTables() throws {
    let all = Self.networks
    for most in [1, 90, 999, 1000] {
      let thinned = try LogitStudy.thinnedTables(all, mostSamples: most)
      let step = (999 / most) + 1
      #expect(thinned[0].sampleIDs == stride(from: 0, to: 1000, by: Int64.Stride(step)).map { $0 })
      #expect(thinned[1].sampleIDs == thinned[0].sampleIDs && thinned[1].labels == thinned[0].labels)
      #expect(thinned.allSatisfy { $0.sampleCount <= most })
      for row in 0..<thinned[1].sampleCount {
        let place = try #require(all[1].sampleIDs.firstIndex(of: thinned[1].sampleIDs[row]))
        #expect(thinned[1].row(row) == all[1].row(place))
      }
      #expect(thinned[1].provenance["samples"] == (step > 1 ? "every \(step)th of 1000" : nil))
    }
  }

  @Test func onlyTheNamedFiguresAreThinned() throws {
    let (a, b) = (Self.networks[0], Self.networks[1])
    let whole = try LogitStudy(standard: [a], robust: [b])
    let study = try LogitStudy(standard: [a], robust: [b], mostThinned: 200)
    let thinned = try #require(study.thinned)
    #expect(thinned.step == 5 && thinned.sampleCount == 200 && thinned.figures == ["shift", "orderings"])
    #expect(study.sampleCount == 1000 && study.effects == whole.effects && study.pairs == whole.pairs)
    #expect(study.agreement == whole.agreement && study.standardCalibration == whole.standardCalibration)
    let part = try LogitStudy.thinnedTables([a, b], mostSamples: 200)
    let ofPart = try LogitStudy(standard: [part[0]], robust: [part[1]])
    #expect(study.orderings == ofPart.orderings && study.orderings != whole.orderings)
    #expect(study.shift.composition == ofPart.shift.composition)
    #expect(study.shift.robustHigher.map(\.row) == ofPart.shift.robustHigher.map { $0.row * 5 })
    #expect(study.shift.robustHigher.map(\.sampleID) == ofPart.shift.robustHigher.map(\.sampleID))
    let json = try JSONSerialization.jsonObject(with: Data(study.json().utf8)) as? [String: Any]
    #expect((json?["thinned"] as? [String: Any])?["step"] as? Int == 5)
  }

  @Test func otherIDsAreNamed() throws {
    let (a, b) = (Self.networks[0], Self.networks[1])
    var ids = b.sampleIDs
    ids[17] = 5000
    let other = try LogitTable(logits: b.logits, classCount: 5, sampleIDs: ids)
    let error = #expect(throws: TemperError.self) { try LogitStudy(standard: [a], robust: [other]) }
    #expect(error?.description.contains("lacks \(b.sampleIDs[17])") == true)
  }
}
