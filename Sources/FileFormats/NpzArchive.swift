import CZlib

/// The arrays of a NumPy `.npz` file, which is a ZIP archive of `.npy` files, stored or deflated.
public struct NpzArchive: Sendable {
  /// The arrays' names, without `.npy`, in the archive's order.
  public var names: [String] { entries.map(\.name) }
  private let entries: [ZipEntry]
  private let bytes: any ByteSource
  private let file: String?

  /// Reads the directory of a `.npz` file; the arrays are read as they are needed.
  ///
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if it is no such archive.
  public init(contentsOf path: String) throws {
    try self.init(FileBytes.open(path), file: path)
  }

  /// Reads the directory of an archive's bytes; `file` names it in errors.
  public init(bytes: [UInt8], file: String? = nil) throws {
    try self.init(MemoryBytes(bytes: bytes), file: file)
  }

  private init(_ bytes: any ByteSource, file: String?) throws {
    (self.bytes, self.file) = (bytes, file)
    entries = try ZipEntry.all(in: bytes, file: file)
  }

  /// Reads one array.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if there is none of that name or it is damaged.
  public func array(_ name: String) throws -> NpyArray {
    let content = try content(of: name, .max)
    return try NpyArray(bytes: try content.read(0..<content.count), file: arrayName(name))
  }

  /// The rows of one array, so that it may be larger than the memory.
  ///
  /// - Parameter mostInMemory: A compressed array of more bytes is unpacked into a temporary file without a name (in
  ///   `TMPDIR`), a smaller one in memory.
  /// - Throws: As ``array(_:)``, and `io` if there is no place for the temporary file.
  public func rows(of name: String, mostInMemory: Int = 64 << 20) throws -> ArrayRows {
    try ArrayRows(npy: try content(of: name, mostInMemory), file: arrayName(name))
  }

  private func content(of name: String, _ mostInMemory: Int) throws -> any ByteSource {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw TemperError(
        .badData, file: file, field: name, "is missing; the archive holds \(names.joined(separator: ", ")).")
    }
    return try entry.content(of: bytes, file: file, mostInMemory: mostInMemory)
  }

  private func arrayName(_ name: String) -> String? { file.map { "\($0)[\(name)]" } }
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
