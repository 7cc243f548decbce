import FileFormats
import TestSupport
import Testing

@Suite struct NpyArrayTests {
  /// A version 1 file with `header` and `data`.
  private func content(_ header: String, _ data: [UInt8]) -> [UInt8] {
    let length = [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
    return [0x93] + Array("NUMPY".utf8) + [1, 0] + length + Array(header.utf8) + data
  }

  @Test func roundTrips() throws {
    let arrays = [
      try NpyArray(shape: [2, 3], .float32([1, -0.5, .infinity, .leastNonzeroMagnitude, 0, 3e38])),
      try NpyArray(shape: [2], .float64([0.1, -1e300])),
      try NpyArray(shape: [3, 1], .int32([.min, 0, .max])),
      try NpyArray(shape: [], .int64([.min])), try NpyArray(shape: [0, 4], .float32([])),
      try NpyArray(shape: [3], .uint8([0, 7, 255])),
      try NpyArray(shape: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], .int64([1, 2])),
    ]
    try withTemporaryFolder { folder in
      for array in arrays {
        try array.write(to: folder + "/a.npy")
        let copy = try NpyArray(contentsOf: folder + "/a.npy")
        #expect(copy == array)
        let size = array.serialized().count
        #expect(try InputFile.read(folder + "/a.npy").count == size)
      }
    }
  }

  @Test func bytesEqualNumPys() throws {
    let array = try NpyArray(shape: [2, 3], .float32([-0.5, -0.25, 0, 0.25, 0.5, 0.75]))
    #expect(try array.serialized() == InputFile.read(formatFixture("f4.npy")))
  }

  @Test func readsWhatNumPyWrites() throws {
    let columnMajor = try NpyArray(contentsOf: formatFixture("f8_column_major.npy"))
    #expect(columnMajor.shape == [2, 3, 4])
    #expect(columnMajor.elements == .float64((0..<24).map(Double.init)))
    #expect(try columnMajor.floats() == (0..<24).map(Float.init))
    #expect(try NpyArray(contentsOf: formatFixture("i4_empty.npy")) == NpyArray(shape: [0, 5], .int32([])))
    #expect(try NpyArray(contentsOf: formatFixture("i8_scalar.npy")) == NpyArray(shape: [], .int64([-7])))
    #expect(try NpyArray(contentsOf: formatFixture("u1_version2.npy")).int32s() == [0, 1, 255])
    #expect(try NpyArray(contentsOf: formatFixture("i8_version3.npy")).int64s() == [1, -(1 << 40)])
  }

  @Test func refusesOtherTypes() throws {
    for (name, words) in [("f4_big_endian.npy", ">f4"), ("records.npy", "records")] {
      let error = #expect(throws: TemperError.self) { try NpyArray(contentsOf: formatFixture(name)) }
      #expect(error?.message.contains(words) == true)
    }
    #expect(throws: TemperError.self) { try NpyArray(contentsOf: formatFixture("f4.npy")).int64s() }
    #expect(throws: TemperError.self) { try NpyArray(contentsOf: formatFixture("i8_scalar.npy")).floats() }
    #expect(throws: TemperError.self) { try NpyArray(contentsOf: formatFixture("i8_version3.npy")).int32s() }
    #expect(throws: TemperError.self) { try NpyArray(shape: [2], .int32([1])) }
    #expect(throws: TemperError.self) { try NpyArray(shape: [-1], .int32([])) }
  }

  /// Headers that must be refused, with the four bytes of data of one f4 or i4 element.
  static let refused = [
    "", "{", "{}", "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'shape': (1,)}",
    "{'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (1000000000000, 0)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4 'fortran_order': False, 'shape': (1,)}",
    "{descr: '<f4', 'fortran_order': False, 'shape': (1,)}",
  ]

  @Test func refusesWrongHeaders() throws {
    for header in Self.refused {
      let error = #expect(throws: TemperError.self, "\(header)") {
        try NpyArray(bytes: content(header, [0, 0, 0, 0]), file: "logits.npy")
      }
      #expect(error?.kind == .badData)
      #expect(error?.file == "logits.npy")
    }
    var version = content("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", [0, 0, 0, 0])
    #expect(try NpyArray(bytes: version).floats() == [0])
    version[6] = 4
    #expect(throws: TemperError.self) { try NpyArray(bytes: version) }
  }

  @Test func acceptsOtherSpellings() throws {
    let header = "{ \"shape\":(1L , 1 ),'fortran_order' :True , \"descr\": '<i4'}\n"
    #expect(try NpyArray(bytes: content(header, [1, 0, 0, 0])) == NpyArray(shape: [1, 1], .int32([1])))
    let empty = "{'descr': '<f4', 'fortran_order': True, 'shape': (1000000000000, 0)}"
    #expect(try NpyArray(bytes: content(empty, [])).shape == [1_000_000_000_000, 0])
  }

  @Test func survivesDamage() throws {
    let version1 = try NpyArray(shape: [2, 3], .float32([1, 2, 3, 4, 5, 6])).serialized()
    for bytes in [version1, try InputFile.read(formatFixture("u1_version2.npy"))] {
      expectTruncationsRefused(bytes) { _ = try NpyArray(bytes: $0, file: "damaged") }
      expectFlipsSurvived(bytes) { _ = try NpyArray(bytes: $0) }
    }
  }

  @Test func namesOtherFormats() {
    let error = #expect(throws: TemperError.self) { try NpyArray(bytes: Array("<html>".utf8), file: "a.npy") }
    #expect(error?.message.contains("a web page") == true)
  }
}
