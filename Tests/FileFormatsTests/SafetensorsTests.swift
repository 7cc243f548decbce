import FileFormats
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  /// A header of `json` and `data` as a file's content.
  private func content(_ json: String, _ data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian, Array.init) + Array(json.utf8) + data
  }

  private func sample() throws -> Safetensors {
    var file = Safetensors(metadata: ["seed": "1", "model": "a \"quoted\" name\n\u{1}é\\"])
    try file.append("b.bias", shape: [3], floats: [1, -0.0, .nan])
    try file.append("labels", shape: [2], int64s: [.min, .max])
    try file.append("a.weight", shape: [2, 1, 2], floats: [0.1, .infinity, .leastNonzeroMagnitude, -3e38])
    try file.append("pixels", shape: [5], bytes: [0, 1, 2, 254, 255])
    try file.append("small", shape: [], int32s: [-5])
    try file.append("none", shape: [0, 7], floats: [])
    return file
  }

  @Test func roundTripsEveryBit() throws {
    let original = try sample()
    try withTemporaryFolder { folder in
      try original.write(to: folder + "/a.safetensors")
      let copy = try Safetensors(contentsOf: folder + "/a.safetensors")
      #expect(copy.metadata == original.metadata)
      for tensor in original.tensors {
        let read = try copy.tensor(tensor.name)
        #expect(read == tensor)
      }
      let bytes = try InputFile.read(folder + "/a.safetensors")
      #expect(copy.serialized() == bytes)
      #expect(original.serialized() == bytes)
    }
  }

  @Test func dataIsAlignedAndSorted() throws {
    let bytes = try sample().serialized()
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length % 8 == 0)
    let names = try Safetensors(bytes: bytes).names
    #expect(names == ["labels", "a.weight", "b.bias", "none", "small", "pixels"])
  }

  @Test func orderOfAppendingDoesNotMatter() throws {
    var reversed = Safetensors(metadata: try sample().metadata)
    for tensor in try sample().tensors.reversed() {
      try reversed.append(tensor.name, shape: tensor.shape, dtype: tensor.dtype, bytes: tensor.bytes)
    }
    #expect(try reversed.serialized() == sample().serialized())
  }

  @Test func convertsElements() throws {
    let file = try sample()
    let weight = try file.floats("a.weight")
    #expect(weight.shape == [2, 1, 2])
    #expect(weight.values == [0.1, .infinity, .leastNonzeroMagnitude, -3e38])
    #expect(try file.int64s("pixels").values == [0, 1, 2, 254, 255])
    #expect(try file.int32s("small").values == [-5])
    #expect(try file.int32s("small").shape == [])
    for read in [
      { _ = try file.floats("labels") }, { _ = try file.int64s("b.bias") }, { _ = try file.int32s("labels") },
      { _ = try file.floats("missing") },
    ] as [() throws -> Void] {
      let error = #expect(throws: TemperError.self) { try read() }
      #expect(error?.kind == .badData)
      #expect(error?.field != nil)
    }
  }

  @Test func refusesBadAppends() throws {
    var file = try sample()
    #expect(throws: TemperError.self) { try file.append("small", shape: [1], floats: [1]) }
    #expect(throws: TemperError.self) { try file.append("x", shape: [2], floats: [1]) }
    #expect(throws: TemperError.self) { try file.append("x", shape: [-1], floats: [1]) }
    #expect(throws: TemperError.self) { try file.append("x", shape: [.max, 4], floats: [1]) }
    #expect(throws: TemperError.self) {
      try file.append("x", shape: [1], dtype: .f32, bytes: [0, 0, 0, 0, 0])
    }
    #expect(throws: TemperError.self) { try file.append("__metadata__", shape: [1], floats: [1]) }
    #expect(file.tensors.count == 6)
  }

  @Test func readsFilesOfThePythonLibrary() throws {
    let file = try Safetensors(contentsOf: formatFixture("python.safetensors"))
    #expect(file.metadata == ["model": "small \"cnn\" é\n", "seed": "1"])
    #expect(try file.floats("weight").values == [-0.5, -0.25, 0, 0.25, 0.5, 0.75])
    #expect(try file.floats("weight").shape == [2, 3])
    #expect(try file.floats("scalar").values == [2.5])
    #expect(try file.int32s("label").values == [3, -1])
    #expect(try file.tensor("mask").bytes == [1, 0, 1])
    #expect(try file.tensor("none").shape == [0, 4])
    #expect(file.tensors.count == 6)
  }

  /// Header (and data) that must be refused, and words of the message.
  static let refused: [(json: String, data: [UInt8], words: String)] = [
    ("[]", [], "does not start with '{'"), ("", [], "does not start"), (" {}", [], "does not start"),
    ("{", [], "lacks"), ("{} x", [], "followed by other text"), ("{\"a\":1}", [], "no JSON object"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0], "truncated"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0, 0], "cover 4"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, [0, 0, 0, 0], "before it begins"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, [0, 0, 0, 0, 0, 0, 0, 0], "hole"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, [0, 0, 0, 0], "data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, [0, 0, 0, 0], "data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "no shape"),
    (#"{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "no shape"),
    (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, [0, 0, 0, 0], "no shape"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "shape"),
    (
      #"{"a":{"dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "no shape"
    ),
    (#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "F99"),
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0], "no dtype"),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
      [0, 0], "'a' twice"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}"#,
      [0], "'a' twice"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
      [0, 0, 0], "overlaps"
    ),
    (#"{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}"#, [], "'dtype' twice"),
    (#"{"__metadata__":{"a":"1","a":"2"}}"#, [], "'a' twice"),
    (#"{"__metadata__":{},"__metadata__":{}}"#, [], "twice"),
    (#"{"__metadata__":{"a":1}}"#, [], "no text"), (#"{"__metadata__":[]}"#, [], "no JSON object"),
    (#"{"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#, [], "no name"),
    (#"{"a":"\ud800"}"#, [], "surrogate"), (#"{"a":"\u+123"}"#, [], "escape"), (#"{"a":"\q"}"#, [], "escape"),
    (#"{"a":"\"#, [], "escape"), ("{\"a\":\"\u{1}\"}", [], "control"), (#"{"a":01}"#, [], "lacks a value"),
    (#"{"a":{},}"#, [], "quoted"), (#"{"a":[1,]}"#, [], "value"), (#"{"a" 1}"#, [], "lacks ':'"),
    ("{\"a\":" + String(repeating: "[", count: 100_000), [], "nested"),
  ]

  @Test func refusesWrongHeaders() {
    for (json, data, words) in Self.refused {
      let error = #expect(throws: TemperError.self, "\(json.prefix(80))") {
        try Safetensors(bytes: content(json, data), file: "weights")
      }
      #expect(error?.kind == .badData)
      #expect(error?.file == "weights")
      #expect(error?.description.contains(words) == true, "\(json.prefix(80)): \(error?.description ?? "")")
    }
  }

  @Test func refusesInvalidUTF8AndHugeHeaders() throws {
    let invalid = content("{\"a\":\"x\"}").map { $0 == UInt8(ascii: "x") ? 0xff : $0 }
    let error = #expect(throws: TemperError.self) { try Safetensors(bytes: invalid) }
    #expect(error?.message.contains("UTF-8") == true)
    for length: UInt64 in [3, 100_000_001, UInt64(Int64.max), .max] {
      let bytes = withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}".utf8)
      #expect(throws: TemperError.self) { try Safetensors(bytes: bytes) }
    }
  }

  @Test func acceptsPaddingAndUnknownMembers() throws {
    let json =
      #"{"a" : {"dtype":"U8", "extra":[true,null,-1.5e3], "shape":[ 1 ],"data_offsets":[0,1]}}"# + "   "
    #expect(try Safetensors(bytes: content(json, [7])).tensor("a").bytes == [7])
    #expect(try Safetensors(bytes: content("{}")).tensors.isEmpty)
    let pair = try Safetensors(bytes: content(#"{"__metadata__":{"a\u00e9\/":"\ud83d\ude00"}}"#))
    #expect(pair.metadata == ["aé/": "😀"])
  }

  @Test func namesOtherFormats() {
    let others: [([UInt8], String)] = [
      (Array("\n<!DOCTYPE html><html><body>Not found</body></html>".utf8), "a web page"),
      (Array("<html>Sign in</html>".utf8), "a web page"),
      ([0x50, 0x4b, 3, 4] + [UInt8](repeating: 9, count: 60), "zip archive"),
      ([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20], "pickle"),
      (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "Git LFS"), ([], "empty"),
    ]
    for (bytes, words) in others {
      let error = #expect(throws: TemperError.self) { try Safetensors(bytes: bytes, file: "weights.pt") }
      #expect(error?.message.contains(words) == true)
      #expect(error?.remedy != nil)
    }
  }

  @Test func survivesDamage() throws {
    let bytes = try sample().serialized()
    expectTruncationsRefused(bytes) { _ = try Safetensors(bytes: $0, file: "damaged") }
    expectFlipsSurvived(bytes) { _ = try Safetensors(bytes: $0) }
  }
}
