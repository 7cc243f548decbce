import Foundation

/// A safetensors file in memory: named tensors and text metadata.
///
/// Layout (huggingface/safetensors, README): a little-endian u64 header length, that many bytes of JSON, then
/// the data, which the header's offsets cover without holes.
public struct Safetensors: Sendable {
  /// Element types that Temper reads and writes.
  public enum ElementType: String, Sendable {
    case float32 = "F32"
    case float64 = "F64"
    case int32 = "I32"
    case int64 = "I64"
    case uint8 = "U8"

    /// Bytes of one element.
    public var byteCount: Int {
      switch self {
      case .uint8: 1
      case .float32, .int32: 4
      case .float64, .int64: 8
      }
    }
  }

  /// One tensor.
  public struct Entry: Sendable {
    /// Its name.
    public let name: String
    /// Type of its elements.
    public let type: ElementType
    /// Extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Elements, row-major, little-endian.
    public let bytes: [UInt8]
  }

  /// The tensors in the order they were appended or read.
  public private(set) var entries: [Entry] = []
  /// Text by key.
  public var metadata: [String: String] = [:]
  /// Name of the file for messages.
  private let file: String?
  private static let maximumHeader = 100_000_000

  /// An empty file.
  public init() { file = nil }

  /// Reads a file.
  /// - Throws: `.missingInput`, `.io`, or `.badData` naming what is wrong.
  public init(contentsOf path: String) throws {
    try self.init(bytes: try InputFile.read(path), file: path)
  }

  /// Reads the bytes of a file; `file` is its name for messages.
  public init(bytes: [UInt8], file: String? = nil) throws {
    self.file = file
    func bad(_ field: String?, _ message: String, _ remedy: String? = nil) -> TemperError {
      TemperError(.badData, file: file, field: field, message, remedy: remedy)
    }
    if let kind = Self.knownForeignFormat(bytes) {
      throw bad(nil, "is \(kind), not safetensors", "Convert it with Python's safetensors.torch.save_file.")
    }
    guard bytes.count >= 8 else { throw bad(nil, "has \(bytes.count) bytes; a safetensors file has at least 8") }
    let length = bytes[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= Self.maximumHeader, Int(length) <= bytes.count - 8 else {
      throw bad("header length", "is \(length) in a file of \(bytes.count) bytes; the file is truncated or no safetensors")
    }
    let header = try SafetensorsHeader(bytes[8..<8 + Int(length)], file: file)
    metadata = header.metadata
    let data = bytes[(8 + Int(length))...]
    try header.checkCover(dataCount: data.count, file: file)
    for item in header.items {
      guard let type = ElementType(rawValue: item.type) else {
        throw bad(item.name, "has the element type \(item.type)", "Save it as F32.")
      }
      let count = item.shape.reduce((1, false)) { partial, extent in
        let product = partial.0.multipliedReportingOverflow(by: extent)
        return (product.partialValue, partial.1 || product.overflow)
      }
      guard !count.1, count.0 <= Int.max / 8, item.end - item.begin == count.0 * type.byteCount else {
        throw bad(item.name, "covers \(item.end - item.begin) bytes, which do not fit the shape \(item.shape)")
      }
      let range = data.startIndex + item.begin..<data.startIndex + item.end
      entries.append(Entry(name: item.name, type: type, shape: item.shape, bytes: Array(data[range])))
    }
  }

  private static func knownForeignFormat(_ bytes: [UInt8]) -> String? {
    let start = bytes.prefix(64)
    let text = String(decoding: start, as: UTF8.self).lowercased()
    if text.contains("<!doctype") || text.contains("<html") { return "an HTML page (a failed download?)" }
    if start.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return "a zip archive (a PyTorch .pt file?)" }
    if start.starts(with: [0x80, 0x02]) || start.starts(with: [0x80, 0x04]) { return "a Python pickle" }
    if start.starts(with: [0x93, 0x4E, 0x55, 0x4D]) { return "a NumPy array" }
    return nil
  }

  // MARK: Access

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { entries.contains { $0.name == name } }

  /// A tensor by name.
  /// - Throws: `.badData` naming the missing tensor.
  public func entry(_ name: String) throws -> Entry {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw TemperError(.badData, file: file, field: name, "there is no tensor of this name")
    }
    return entry
  }

  /// A tensor's shape and its values as floats, converted from 64 bits if need be.
  public func floats(_ name: String) throws -> (shape: [Int], values: [Float]) {
    let entry = try entry(name)
    switch entry.type {
    case .float32: return (entry.shape, entry.bytes.decoded(Float.self))
    case .float64: return (entry.shape, entry.bytes.decoded(Double.self).map { Float($0) })
    default: throw TemperError(.badData, file: file, field: name, "holds \(entry.type.rawValue), not floats")
    }
  }

  /// A tensor's shape and its values as integers.
  public func integers(_ name: String) throws -> (shape: [Int], values: [Int64]) {
    let entry = try entry(name)
    switch entry.type {
    case .int32: return (entry.shape, entry.bytes.decoded(Int32.self).map { Int64($0) })
    case .int64: return (entry.shape, entry.bytes.decoded(Int64.self))
    case .uint8: return (entry.shape, entry.bytes.map { Int64($0) })
    default: throw TemperError(.badData, file: file, field: name, "holds \(entry.type.rawValue), not integers")
    }
  }

  // MARK: Writing

  /// Adds a tensor of floats.
  /// - Throws: `.internal` if the name is taken or the count does not fit the shape.
  public mutating func append(_ name: String, shape: [Int], floats: [Float]) throws {
    try append(name, .float32, shape, floats)
  }

  /// Adds a tensor of 64-bit integers.
  public mutating func append(_ name: String, shape: [Int], integers: [Int64]) throws {
    try append(name, .int64, shape, integers)
  }

  /// Adds a tensor of 32-bit integers.
  public mutating func append(_ name: String, shape: [Int], integers: [Int32]) throws {
    try append(name, .int32, shape, integers)
  }

  private mutating func append<T: BitwiseCopyable>(
    _ name: String, _ type: ElementType, _ shape: [Int], _ values: [T]
  ) throws {
    guard !contains(name), name != "__metadata__" else {
      throw TemperError(.internal, field: name, "is the name of another tensor")
    }
    guard shape.reduce(1, *) == values.count else {
      throw TemperError(.internal, field: name, "\(values.count) values do not fill the shape \(shape)")
    }
    entries.append(Entry(name: name, type: type, shape: shape, bytes: values.encoded()))
  }

  /// The file's bytes: tensors with the largest elements first, then by name; the data 8-aligned.
  public func encoded() -> [UInt8] {
    let sorted = entries.sorted { ($1.type.byteCount, $0.name) < ($0.type.byteCount, $1.name) }
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(jsonText($0.key)):\(jsonText($0.value))" }
      fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for entry in sorted {
      let shape = entry.shape.map(String.init).joined(separator: ",")
      let end = offset + entry.bytes.count
      fields.append(
        "\(jsonText(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    var bytes = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) }
    bytes.reserveCapacity(8 + header.count + offset)
    bytes += header
    for entry in sorted { bytes += entry.bytes }
    return bytes
  }

  /// Writes the file; it is whole or not there.
  public func write(to path: String) throws { try AtomicFile.write(encoded(), to: path) }

  private func jsonText(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return String(decoding: try! encoder.encode(text), as: UTF8.self)
  }
}

extension [UInt8] {
  /// The bytes as little-endian values; the count must be a multiple of the value's size.
  package func decoded<T: BitwiseCopyable>(_: T.Type) -> [T] {
    withUnsafeBytes { bytes in
      let size = MemoryLayout<T>.size
      return (0..<bytes.count / size).map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: T.self) }
    }
  }
}

extension Array where Element: BitwiseCopyable {
  /// The values' bytes, little-endian.
  package func encoded() -> [UInt8] { withUnsafeBytes { Array<UInt8>($0) } }
}
