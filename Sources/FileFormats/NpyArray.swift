import Foundation

/// A NumPy array file (.npy, versions 1 to 3): row-major, little-endian.
public struct NpyArray: Sendable {
  /// Element types that Temper reads; it writes `<f4`, `<i4` and `<i8`.
  public enum ElementType: String, Sendable, CaseIterable {
    case float32 = "<f4"
    case float64 = "<f8"
    case int32 = "<i4"
    case int64 = "<i8"
    case uint8 = "|u1"

    /// Bytes of one element.
    public var byteCount: Int {
      switch self {
      case .uint8: 1
      case .float32, .int32: 4
      case .float64, .int64: 8
      }
    }
  }

  /// Extents, outermost first.
  public let shape: [Int]
  /// Type of the elements in the file.
  public let type: ElementType
  private let data: [UInt8]
  private let file: String?
  private static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]

  /// An array of floats.
  public init(shape: [Int], floats: [Float]) { self.init(shape, .float32, floats) }
  /// An array of 32-bit integers.
  public init(shape: [Int], integers: [Int32]) { self.init(shape, .int32, integers) }
  /// An array of 64-bit integers.
  public init(shape: [Int], integers: [Int64]) { self.init(shape, .int64, integers) }

  private init<T: BitwiseCopyable>(_ shape: [Int], _ type: ElementType, _ values: [T]) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values do not fill \(shape)")
    (self.shape, self.type, data, file) = (shape, type, values.encoded(), nil)
  }

  /// Reads a file.
  /// - Throws: `.missingInput`, `.io`, or `.badData` naming what is wrong.
  public init(contentsOf path: String) throws { try self.init(bytes: try InputFile.read(path), file: path) }

  /// Reads the bytes of a file; `file` is its name for messages.
  public init(bytes: [UInt8], file: String? = nil) throws {
    func bad(_ field: String, _ message: String, _ remedy: String? = nil) -> TemperError {
      TemperError(.badData, file: file, field: field, message, remedy: remedy)
    }
    guard bytes.count >= 10, bytes.starts(with: Self.magic) else {
      throw bad("magic", "is not that of a .npy file", "Save the array with numpy.save.")
    }
    let version = bytes[6]
    guard (1...3).contains(version) else { throw bad("version", "is \(version); versions 1 to 3 are known") }
    let start = version == 1 ? 10 : 12
    guard bytes.count >= start else { throw bad("header", "is truncated") }
    let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - start else { throw bad("header", "is truncated") }
    let header = try NpyHeader(String(decoding: bytes[start..<start + length], as: UTF8.self), bad)
    guard !header.isFortranOrder else {
      throw bad("fortran_order", "is True", "Save numpy.ascontiguousarray(array).")
    }
    let description = header.description.replacingOccurrences(of: "=", with: "<")
    guard let type = ElementType(rawValue: description == "<u1" ? "|u1" : description) else {
      throw bad("descr", "is \(header.description)", "Save the array as float32 or int64.")
    }
    var count = type.byteCount
    for extent in header.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw bad("shape", "\(header.shape) is too large") }
      count = product
    }
    let rest = bytes.count - start - length
    guard rest == count else {
      throw bad("data", "has \(rest) bytes; the shape \(header.shape) needs \(count)", "Save the array again.")
    }
    (shape, self.type, data, self.file) = (header.shape, type, Array(bytes[(start + length)...]), file)
  }

  /// The elements as floats, converted from any type.
  public func floats() -> [Float] {
    switch type {
    case .float32: data.decoded(Float.self)
    case .float64: data.decoded(Double.self).map { Float($0) }
    case .int32: data.decoded(Int32.self).map { Float($0) }
    case .int64: data.decoded(Int64.self).map { Float($0) }
    case .uint8: data.map { Float($0) }
    }
  }

  /// The elements as integers.
  /// - Throws: `.badData` for an array of floats.
  public func integers() throws -> [Int64] {
    switch type {
    case .int32: return data.decoded(Int32.self).map { Int64($0) }
    case .int64: return data.decoded(Int64.self)
    case .uint8: return data.map { Int64($0) }
    case .float32, .float64:
      throw TemperError(
        .badData, file: file, field: "descr", "is \(type.rawValue); whole numbers are needed",
        remedy: "Save array.astype(numpy.int64).")
    }
  }

  /// The file's bytes (version 1).
  public func encoded() -> [UInt8] {
    let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(type.rawValue)', 'fortran_order': False, 'shape': (\(extents)), }"
    header += String(repeating: " ", count: (64 - (10 + header.utf8.count + 1) % 64) % 64) + "\n"
    let length = header.utf8.count
    return Self.magic + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8) + data
  }

  /// Writes the file; it is whole or not there.
  public func write(to path: String) throws { try AtomicFile.write(encoded(), to: path) }
}

/// The Python dictionary at the start of a .npy file.
private struct NpyHeader {
  let description: String
  let isFortranOrder: Bool
  let shape: [Int]

  init(_ text: String, _ bad: (String, String, String?) -> TemperError) throws {
    func value(_ key: String) throws -> Substring {
      guard let range = text.range(of: "'\(key)':") ?? text.range(of: "\"\(key)\":") else {
        throw bad(key, "is missing from the header", nil)
      }
      return text[range.upperBound...].drop { $0 == " " }
    }
    let descr = try value("descr")
    guard let quote = descr.first, quote == "'" || quote == "\"" else {
      throw bad("descr", "is no plain type (a structured array?)", "Save a plain float array.")
    }
    description = String(descr.dropFirst().prefix { $0 != quote })
    let order = try value("fortran_order")
    guard order.hasPrefix("True") || order.hasPrefix("False") else {
      throw bad("fortran_order", "is neither True nor False", nil)
    }
    isFortranOrder = order.hasPrefix("True")
    let tuple = try value("shape")
    guard tuple.first == "(", let end = tuple.firstIndex(of: ")") else { throw bad("shape", "is no tuple", nil) }
    let parts = tuple[tuple.index(after: tuple.startIndex)..<end].split(separator: ",")
    shape = try parts.map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }.map { part in
      guard let extent = Int(part), extent >= 0 else { throw bad("shape", "holds \"\(part)\"", nil) }
      return extent
    }
  }
}
