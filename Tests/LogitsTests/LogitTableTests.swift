import FileFormats
import Logits
import TestSupport
import Testing

@Suite struct LogitTableTests {
  private func expectBadData(_ words: String, _ make: () throws -> LogitTable) {
    let error = #expect(throws: TemperError.self) { try make() }
    #expect(error?.kind == .badData)
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test func refusesBadContent() {
    expectBadData("row 1, class 0 is nan") { try LogitTable(logits: [1, 2, .nan, 3], classCount: 2) }
    expectBadData("row 0, class 1 is inf") { try LogitTable(logits: [1, .infinity], classCount: 2) }
    expectBadData("row 0, class 0 is -inf") { try LogitTable(logits: [-.infinity, 1], classCount: 2) }
    expectBadData("1 classes") { try LogitTable(logits: [1, 2], classCount: 1) }
    expectBadData("0 classes") { try LogitTable(logits: [], classCount: 0) }
    expectBadData("no rows") { try LogitTable(logits: [], classCount: 3) }
    expectBadData("no rows") { try LogitTable(logits: [1, 2, 3], classCount: 2) }
    expectBadData("row 1 is 2") { try LogitTable(logits: [1, 2, 3, 4], classCount: 2, labels: [1, 2]) }
    expectBadData("row 0 is -1") { try LogitTable(logits: [1, 2, 3, 4], classCount: 2, labels: [-1, 2]) }
    expectBadData("1 for 2") { try LogitTable(logits: [1, 2, 3, 4], classCount: 2, labels: [1]) }
    expectBadData("1 for 2") { try LogitTable(logits: [1, 2, 3, 4], classCount: 2, sampleIDs: [1]) }
    expectBadData("repeats the id 7") {
      try LogitTable(logits: [1, 2, 3, 4], classCount: 2, sampleIDs: [7, 7])
    }
  }

  @Test func recognisesProbabilities() throws {
    #expect(try LogitTable(logits: [0.25, 0.75, 1, 0], classCount: 2).looksLikeProbabilities())
    #expect(try !LogitTable(logits: [0.25, 0.75, 0.9, 0], classCount: 2).looksLikeProbabilities())
    #expect(try !LogitTable(logits: [-0.25, 1.25], classCount: 2).looksLikeProbabilities())
    #expect(try !LogitTable(logits: [0.25, 0.75002], classCount: 2).looksLikeProbabilities())
    #expect(try LogitTable(logits: [0.25, 0.750005], classCount: 2).looksLikeProbabilities())
  }

  @Test func roundTripsAsSafetensors() throws {
    let tables = [
      try randomTable(samples: 7, classes: 3),
      try LogitTable(
        logits: [-0.0, 3e38, 1, 2], classCount: 2, sampleIDs: [.max, .min],
        provenance: ["model": "ä", "seed": "3"]),
    ]
    try withTemporaryFolder { folder in
      for table in tables {
        try table.write(to: folder + "/t.safetensors")
        let copy = try LogitTable(contentsOf: folder + "/t.safetensors")
        #expect(copy == table)
      }
    }
  }

  @Test func roundTripsAsNpy() throws {
    let table = try randomTable(samples: 7, classes: 3)
    try withTemporaryFolder { folder in
      try table.write(to: folder + "/t.npy", labels: folder + "/labels.npy")
      let copy = try LogitTable(contentsOf: folder + "/t.npy", labels: folder + "/labels.npy")
      #expect(copy.logits == table.logits)
      #expect(copy.labels == table.labels)
      #expect(copy.sampleIDs == table.sampleIDs)
      let bare = try LogitTable(contentsOf: folder + "/t.npy")
      #expect(bare.labels == nil)
      #expect(throws: TemperError.self) { try bare.write(to: folder + "/b.npy", labels: folder + "/b2.npy") }
    }
  }

  @Test func refusesWrongFiles() throws {
    let table = try randomTable(samples: 4, classes: 3)
    try withTemporaryFolder { folder in
      for path in [folder + "/t.csv", folder + "/safetensors", folder + "/t"] {
        let write = #expect(throws: TemperError.self) { try table.write(to: path) }
        let read = #expect(throws: TemperError.self) { try LogitTable(contentsOf: path) }
        #expect(write?.kind == .usage)
        #expect(read?.kind == .usage)
      }
      var file = Safetensors()
      try file.append("logits", shape: [12], floats: table.logits)
      try file.write(to: folder + "/flat.safetensors")
      file = Safetensors()
      try file.append("logits", shape: [4, 3], floats: table.logits)
      try file.append("labels", shape: [2, 2], int64s: [0, 1, 2, 0])
      try file.write(to: folder + "/labels.safetensors")
      file = Safetensors()
      try file.append("outputs", shape: [4, 3], floats: table.logits)
      try file.write(to: folder + "/names.safetensors")
      try NpyArray(shape: [0, 3], .float32([])).write(to: folder + "/empty.npy")
      try NpyArray(shape: [4, 3], .int64([Int64](repeating: 0, count: 12))).write(
        to: folder + "/integers.npy")
      let names = [
        "flat.safetensors", "labels.safetensors", "names.safetensors", "empty.npy", "integers.npy",
      ]
      for path in names.map({ folder + "/" + $0 }) {
        let error = #expect(throws: TemperError.self) { try LogitTable(contentsOf: path) }
        #expect(error?.kind == .badData)
        #expect(error?.file == path)
      }
      let missing = #expect(throws: TemperError.self) { try LogitTable(contentsOf: folder + "/none.npy") }
      #expect(missing?.kind == .missingInput)
    }
  }

  @Test func selectsRows() throws {
    let table = try randomTable(samples: 5, classes: 2)
    let some = table.selecting([3, 0])
    #expect(some.logits == Array(table.row(3)) + Array(table.row(0)))
    #expect(some.labels == [table.labels![3], table.labels![0]])
    #expect(some.sampleIDs == [3, 0])
  }
}
