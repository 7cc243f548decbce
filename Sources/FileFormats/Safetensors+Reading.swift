extension Safetensors {
  /// Reads a `.safetensors` file.
  ///
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if its content is
  ///   wrong: truncated, overlapping or uncovered data, repeated names, shapes that do not fit.
  public init(contentsOf path: String) throws {
    try self.init(bytes: try InputFile.read(path), file: path)
  }

  /// Reads the content of a `.safetensors` file; `file` names it in errors.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if the content is wrong.
  public init(bytes: [UInt8], file: String? = nil) throws {
    let header = try Self.headerRange(bytes, file: file)
    let object: JSONValue
    do {
      object = try StrictJSON.parse(bytes[header])
    } catch let fault as StrictJSON.Fault {
      throw Self.fault(file, "header", "\(fault.message) at byte \(fault.offset).")
    }
    guard case .object(let members) = object else { throw Self.fault(file, "header", "is no JSON object.") }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, file: file)
      } else {
        entries.append(try Entry(name, value, file: file))
      }
    }
    self.init(metadata: metadata, file: file)
    try appendData(of: entries, from: bytes[header.upperBound...])
  }

  /// Where the JSON header lies in the file.
  private static func headerRange(_ bytes: [UInt8], file: String?) throws -> Range<Int> {
    let maximum: UInt64 = 100_000_000
    guard bytes.count >= 8 else {
      throw foreign(bytes, file, "has \(bytes.count) bytes; its header needs 8.")
    }
    let length = decode(bytes[..<8], as: UInt64.self)[0]
    guard length <= maximum else {
      throw foreign(bytes, file, "gives \(length) as its header length; at most \(maximum) is allowed.")
    }
    guard length <= bytes.count - 8 else {
      throw foreign(bytes, file, "has \(bytes.count) bytes; its header alone needs \(length + 8).")
    }
    guard length > 0, bytes[8] == UInt8(ascii: "{") else {
      throw foreign(bytes, file, "has a header that does not start with '{'.")
    }
    return 8..<8 + Int(length)
  }

  private static func metadata(_ value: JSONValue, file: String?) throws -> [String: String] {
    guard case .object(let members) = value else { throw fault(file, "__metadata__", "is no JSON object.") }
    var metadata: [String: String] = [:]
    for (name, value) in members {
      guard case .string(let text) = value else { throw fault(file, "__metadata__.\(name)", "is no text.") }
      metadata[name] = text
    }
    return metadata
  }

  /// Appends the arrays in the order of their data, which they must cover without hole or overlap.
  private mutating func appendData(of entries: [Entry], from data: ArraySlice<UInt8>) throws {
    var covered = 0
    for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard entry.begin == covered else {
        let what = entry.begin < covered ? "overlaps the array before it" : "leaves a hole before it"
        throw Self.fault(file, entry.name, "\(what): its data starts at \(entry.begin), not \(covered).")
      }
      guard entry.end <= data.count else {
        throw Self.fault(
          file, entry.name, "ends at byte \(entry.end) of the data, which has \(data.count).",
          remedy: "The file is truncated: download or write it again.")
      }
      let bytes = data[data.startIndex + entry.begin..<data.startIndex + entry.end]
      try append(entry.name, shape: entry.shape, dtype: entry.dtype, bytes: Array(bytes))
      covered = entry.end
    }
    guard covered == data.count else {
      throw Self.fault(file, nil, "has \(data.count) bytes of data, but its arrays cover \(covered).")
    }
  }

  fileprivate static func fault(
    _ file: String?, _ field: String?, _ message: String, remedy: String? = nil
  ) -> TemperError {
    TemperError(.badData, file: file, field: field, message, remedy: remedy)
  }

  private static func foreign(_ bytes: [UInt8], _ file: String?, _ message: String) -> TemperError {
    guard let (name, remedy) = ForeignFormat.recognise(bytes) else {
      return fault(file, nil, "is no safetensors file or is damaged: it \(message)")
    }
    return fault(file, nil, "is \(name), not safetensors.", remedy: remedy)
  }
}

/// One array as the header describes it, checked except for its place among the others.
private struct Entry {
  let name: String
  let dtype: Safetensors.DType
  let shape: [Int]
  let begin: Int
  let end: Int

  init(_ name: String, _ value: JSONValue, file: String?) throws {
    func fault(_ message: String) -> TemperError { Safetensors.fault(file, name, message) }
    guard case .object(let members) = value else { throw fault("is no JSON object.") }
    func member(_ key: String) -> JSONValue? { members.first { $0.name == key }?.value }
    guard case .string(let typeName) = member("dtype") else { throw fault("has no dtype.") }
    guard let dtype = Safetensors.DType(rawValue: typeName) else {
      throw fault("has the unknown dtype '\(typeName)'.")
    }
    guard let shape = Self.counts(member("shape")) else { throw fault("has no shape of whole numbers.") }
    guard let offsets = Self.counts(member("data_offsets")), offsets.count == 2 else {
      throw fault("has no data_offsets of two whole numbers.")
    }
    guard offsets[0] <= offsets[1] else { throw fault("ends at byte \(offsets[1]), before it begins.") }
    let length = offsets[1] - offsets[0]
    guard let count = elementCount(shape), length % dtype.itemSize == 0, length / dtype.itemSize == count
    else {
      throw fault("has shape \(shape) of \(typeName), but \(length) bytes.")
    }
    (self.name, self.dtype, self.shape, begin, end) = (name, dtype, shape, offsets[0], offsets[1])
  }

  private static func counts(_ value: JSONValue?) -> [Int]? {
    guard case .array(let values) = value else { return nil }
    var counts: [Int] = []
    for value in values {
      guard case .count(let count) = value else { return nil }
      counts.append(count)
    }
    return counts
  }
}
