import CZlib

/// The arrays of a NumPy `.npz` file, which is a ZIP archive of `.npy` files, stored or deflated.
public struct NpzArchive: Sendable {
  /// The arrays' names, without `.npy`, in the archive's order.
  public var names: [String] { entries.map(\.name) }
  private let entries: [ZipEntry]
  private let bytes: [UInt8]
  private let file: String?

  /// Reads the directory of a `.npz` file.
  ///
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if it is no such archive.
  public init(contentsOf path: String) throws {
    try self.init(bytes: try InputFile.read(path), file: path)
  }

  /// Reads the directory of an archive's bytes; `file` names it in errors.
  public init(bytes: [UInt8], file: String? = nil) throws {
    (self.bytes, self.file) = (bytes, file)
    entries = try ZipEntry.all(in: bytes, file: file)
  }

  /// Reads one array.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if there is none of that name or it is damaged.
  public func array(_ name: String) throws -> NpyArray {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw TemperError(
        .badData, file: file, field: name, "is missing; the archive holds \(names.joined(separator: ", ")).")
    }
    return try NpyArray(bytes: try entry.content(of: bytes, file: file), file: file.map { "\($0)[\(name)]" })
  }
}

extension NpzArchive {
  /// The bytes of an archive of arrays, stored as they are. NumPy's `load` reads it.
  ///
  /// - Precondition: Names are unique, there are fewer than 65,535 arrays and 4 GB.
  public static func serialized(_ arrays: [(name: String, array: NpyArray)]) -> [UInt8] {
    precondition(arrays.count < 0xFFFF && Set(arrays.map(\.name)).count == arrays.count)
    var (bytes, directory): ([UInt8], [UInt8]) = ([], [])
    func number(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    for (name, array) in arrays {
      let content = array.serialized()
      let path = Array((name + ".npy").utf8)
      // Version 2.0, no flags, stored, 1 January 1980, as NumPy writes it; then checksum, sizes and lengths of names.
      let checksum = Int(crc32(0, content, UInt32(content.count)))
      let common =
        number(20, 2) + number(0, 2) + number(0, 2) + number(0, 2) + number(0x21, 2) + number(checksum, 4)
        + number(content.count, 4) + number(content.count, 4) + number(path.count, 2) + number(0, 2)
      directory +=
        number(0x0201_4b50, 4) + number(20, 2) + common + number(0, 2) + number(0, 2) + number(0, 2)
      directory += number(0, 4) + number(bytes.count, 4) + path
      bytes += number(0x0403_4b50, 4) + common + path + content
    }
    precondition(bytes.count + directory.count < 0xFFFF_FFFF)
    let counts = number(0, 2) + number(0, 2) + number(arrays.count, 2) + number(arrays.count, 2)
    let end =
      number(0x0605_4b50, 4) + counts + number(directory.count, 4) + number(bytes.count, 4) + number(0, 2)
    return bytes + directory + end
  }
}

/// A file of a ZIP archive. Offsets and lengths as in PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16.
private struct ZipEntry {
  let name: String
  let method: Int
  let checksum: UInt32
  let packedSize: Int
  let size: Int
  let offset: Int

  static func all(in bytes: [UInt8], file: String?) throws -> [ZipEntry] {
    guard
      let end = (0...max(0, bytes.count - 22)).reversed().prefix(65_558).first(where: {
        number(bytes, $0, 4) == 0x0605_4b50
      })
    else { throw fault(file, "is no .npz file (a ZIP archive), or it is truncated.") }
    let (count, start) = (number(bytes, end + 10, 2), number(bytes, end + 16, 4))
    guard count != 0xFFFF, start != 0xFFFF_FFFF else { throw tooLarge(file) }
    var entries: [ZipEntry] = []
    var place = start
    for _ in 0..<count {
      guard place + 46 <= end, number(bytes, place, 4) == 0x0201_4b50 else {
        throw fault(file, "has a damaged directory.")
      }
      let length = number(bytes, place + 28, 2)
      let next = place + 46 + length + number(bytes, place + 30, 2) + number(bytes, place + 32, 2)
      guard next <= end else { throw fault(file, "has a damaged directory.") }
      let entry = ZipEntry(bytes, place, length)
      guard ![entry.packedSize, entry.size, entry.offset].contains(0xFFFF_FFFF) else { throw tooLarge(file) }
      entries.append(entry)
      place = next
    }
    return entries
  }

  private init(_ bytes: [UInt8], _ place: Int, _ length: Int) {
    let name = String(decoding: bytes[place + 46..<place + 46 + length], as: UTF8.self)
    self.name = name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
    method = Self.number(bytes, place + 10, 2)
    checksum = UInt32(Self.number(bytes, place + 16, 4))
    packedSize = Self.number(bytes, place + 20, 4)
    size = Self.number(bytes, place + 24, 4)
    offset = Self.number(bytes, place + 42, 4)
  }

  func content(of bytes: [UInt8], file: String?) throws -> [UInt8] {
    func fault(_ message: String) -> TemperError { Self.fault(file, "\(name): \(message)") }
    guard offset + 30 <= bytes.count, Self.number(bytes, offset, 4) == 0x0403_4b50 else {
      throw fault("the directory does not lead to it.")
    }
    let start = offset + 30 + Self.number(bytes, offset + 26, 2) + Self.number(bytes, offset + 28, 2)
    guard start + packedSize <= bytes.count else { throw fault("the file is truncated.") }
    let packed = bytes[start..<start + packedSize]
    let content: [UInt8]
    switch method {
    case 0: content = Array(packed)
    case 8:
      guard let inflated = inflated(Array(packed)) else { throw fault("its compressed data is damaged.") }
      content = inflated
    default: throw fault("is compressed by the unknown method \(method).")
    }
    guard content.count == size, UInt32(crc32(0, content, UInt32(content.count))) == checksum else {
      throw fault("its checksum is wrong: the file is damaged.")
    }
    return content
  }

  /// At most ``size`` bytes of raw deflated data; nil if there are more or it is damaged.
  private func inflated(_ packed: [UInt8]) -> [UInt8]? {
    // Deflate packs at most 1032 to 1: a larger size is a lie, and nothing is reserved for it.
    guard size <= packed.count * 1032 + 1024 else { return nil }
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return nil
    }
    defer { inflateEnd(&stream) }
    var (packed, content) = (packed, [UInt8](repeating: 0, count: size))
    let status = packed.withUnsafeMutableBufferPointer { source in
      content.withUnsafeMutableBufferPointer { target in
        (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
        (stream.next_out, stream.avail_out) = (target.baseAddress, UInt32(target.count))
        return inflate(&stream, Z_FINISH)
      }
    }
    return status == Z_STREAM_END && stream.avail_out == 0 ? content : nil
  }

  /// A little-endian number; 0 beyond the end.
  private static func number(_ bytes: [UInt8], _ place: Int, _ size: Int) -> Int {
    guard place >= 0, place + size <= bytes.count else { return 0 }
    return bytes[place..<place + size].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private static func tooLarge(_ file: String?) -> TemperError {
    fault(file, "is larger than 4 GB or has more than 65,534 arrays.", "Save each array as .npy.")
  }

  private static func fault(_ file: String?, _ message: String, _ remedy: String? = nil) -> TemperError {
    TemperError(.badData, file: file, message, remedy: remedy)
  }
}
