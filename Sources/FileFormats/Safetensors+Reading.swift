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
    let layout = try SafetensorsLayout(MemoryBytes(bytes: bytes), file: file)
    self.init(metadata: layout.metadata, file: file)
    for entry in layout.entries {
      let data = Array(bytes[layout.start + entry.begin..<layout.start + entry.end])
      try append(entry.name, shape: entry.shape, dtype: entry.dtype, bytes: data)
    }
  }
}

/// A `.safetensors` file whose arrays are read as they are needed, so that it may be larger than the memory.
public struct SafetensorsFile: Sendable {
  private let bytes: any ByteSource
  private let layout: SafetensorsLayout
  private let file: String

  /// Opens a file and checks its header and size.
  ///
  /// - Throws: As ``Safetensors/init(contentsOf:)``.
  public init(contentsOf path: String) throws {
    bytes = try FileBytes.open(path)
    layout = try SafetensorsLayout(bytes, file: path)
    file = path
  }

  /// Free text by name.
  public var metadata: [String: String] { layout.metadata }

  /// The names of the arrays, in the order of their data.
  public var names: [String] { layout.entries.map(\.name) }

  /// The rows of the array called `name`.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if there is none.
  public func rows(of name: String) throws -> ArrayRows {
    guard let entry = layout.entries.first(where: { $0.name == name }) else {
      throw Safetensors.missing(name, names, file)
    }
    let range = layout.start + entry.begin..<layout.start + entry.end
    return ArrayRows(
      tensor: name, entry.dtype, shape: entry.shape, BytesSlice(base: bytes, range: range), file: file)
  }
}

/// What the header of a safetensors file says, checked against the file's size.
private struct SafetensorsLayout {
  let metadata: [String: String]
  /// By their place in the data, which they cover without hole or overlap.
  let entries: [Entry]
  /// Where the data begins.
  let start: Int

  init(_ bytes: any ByteSource, file: String?) throws {
    let header = try Self.headerRange(bytes, file: file)
    let object: JSONValue
    do {
      object = try StrictJSON.parse(try bytes.read(header)[...])
    } catch let fault as StrictJSON.Fault {
      throw Safetensors.fault(file, "header", "\(fault.message) at byte \(fault.offset).")
    }
    guard case .object(let members) = object else {
      throw Safetensors.fault(file, "header", "is no JSON object.")
    }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, file: file)
      } else {
        entries.append(try Entry(name, value, file: file))
      }
    }
    self.metadata = metadata
    self.entries = entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
    start = header.upperBound
    try checkCoverage(of: bytes.count - start, file: file)
  }

  /// Where the JSON header lies in the file.
  private static func headerRange(_ bytes: any ByteSource, file: String?) throws -> Range<Int> {
    let maximum: UInt64 = 100_000_000
    let head = try bytes.read(0..<min(bytes.count, 512))
    guard bytes.count >= 8 else {
      throw foreign(head, file, "has \(bytes.count) bytes; its header needs 8.")
    }
    let length = decode(head[..<8], as: UInt64.self)[0]
    guard length <= maximum else {
      throw foreign(head, file, "gives \(length) as its header length; at most \(maximum) is allowed.")
    }
    guard length <= bytes.count - 8 else {
      throw foreign(head, file, "has \(bytes.count) bytes; its header alone needs \(length + 8).")
    }
    guard length > 0, head[8] == UInt8(ascii: "{") else {
      throw foreign(head, file, "has a header that does not start with '{'.")
    }
    return 8..<8 + Int(length)
  }

  private static func metadata(_ value: JSONValue, file: String?) throws -> [String: String] {
    guard case .object(let members) = value else {
      throw Safetensors.fault(file, "__metadata__", "is no JSON object.")
    }
    var metadata: [String: String] = [:]
    for (name, value) in members {
      guard case .string(let text) = value else {
        throw Safetensors.fault(file, "__metadata__.\(name)", "is no text.")
      }
      metadata[name] = text
    }
    return metadata
  }

  private func checkCoverage(of count: Int, file: String?) throws {
    var covered = 0
    var names: Set<String> = []
    for entry in entries {
      func fault(_ message: String, remedy: String? = nil) -> TemperError {
        Safetensors.fault(file, entry.name, message, remedy: remedy)
      }
      guard entry.begin == covered else {
        let what = entry.begin < covered ? "overlaps the array before it" : "leaves a hole before it"
        throw fault("\(what): its data starts at \(entry.begin), not \(covered).")
      }
      guard entry.end <= count else {
        throw fault(
          "ends at byte \(entry.end) of the data, which has \(count).",
          remedy: "The file is truncated: download or write it again.")
      }
      guard !entry.name.isEmpty else { throw fault("is no name for an array.") }
      guard names.insert(entry.name).inserted else { throw fault("occurs twice.") }
      covered = entry.end
    }
    guard covered == count else {
      throw Safetensors.fault(file, nil, "has \(count) bytes of data, but its arrays cover \(covered).")
    }
  }

  private static func foreign(_ bytes: [UInt8], _ file: String?, _ message: String) -> TemperError {
    guard let (name, remedy) = ForeignFormat.recognise(bytes) else {
      return Safetensors.fault(file, nil, "is no safetensors file or is damaged: it \(message)")
    }
    return Safetensors.fault(file, nil, "is \(name), not safetensors.", remedy: remedy)
  }
}

extension Safetensors {
  fileprivate static func fault(
    _ file: String?, _ field: String?, _ message: String, remedy: String? = nil
  ) -> TemperError {
    TemperError(.badData, file: file, field: field, message, remedy: remedy)
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
