extension NpyArray {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads a `.npy` file with elements of type f4, f8, i4, i8 or u1. Column-major data is reordered.
  ///
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if its content is
  ///   wrong.
  public init(contentsOf path: String) throws {
    try self.init(bytes: try InputFile.read(path), file: path)
  }

  /// Reads the content of a `.npy` file; `file` names it in errors.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if the content is wrong.
  public init(bytes: [UInt8], file: String? = nil) throws {
    let (header, start) = try Self.header(bytes[...], file: file)
    try self.init(header, data: bytes[start...], file: file)
  }

  /// The header at the start of a file's bytes, and where the data begins.
  static func header(_ bytes: ArraySlice<UInt8>, file: String?) throws -> (header: NpyHeader, start: Int) {
    func fault(_ message: String, _ remedy: String? = nil) -> TemperError {
      TemperError(.badData, file: file, message, remedy: remedy)
    }
    guard bytes.starts(with: Self.magic), bytes.count >= 10 else {
      if let (name, remedy) = ForeignFormat.recognise(Array(bytes)), !bytes.starts(with: Self.magic) {
        throw fault("is \(name), not a NumPy .npy file.", remedy)
      }
      throw fault("is no NumPy .npy file or is truncated.")
    }
    guard 1...3 ~= bytes[6] else { throw fault("has the unknown .npy version \(bytes[6]).") }
    let start = bytes[6] == 1 ? 10 : 12
    guard bytes.count >= start else { throw fault("is truncated in its header.") }
    // Version 1 has 2 bytes of length, versions 2 and 3 have 4.
    let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - start else { throw fault("is truncated in its header.") }
    return (try NpyHeader(bytes[start..<start + length], file: file), start + length)
  }

  init(_ header: NpyHeader, data: ArraySlice<UInt8>, file: String?) throws {
    guard let size = header.itemSize else {
      throw TemperError(
        .badData, file: file, "has elements of type \(header.descr), which is not supported.",
        remedy: "Save it with .astype('float32') or .astype('int64') in Python.")
    }
    guard let count = elementCount(header.shape), data.count % size == 0, data.count / size == count else {
      throw TemperError(
        .badData, file: file,
        "has shape \(header.shape) of \(size)-byte elements, but \(data.count) bytes of data.",
        remedy: "It is truncated or has other data behind the array: save it again.")
    }
    let order = header.isColumnMajor && count > 0 ? columnMajorPlaces(header.shape) : nil
    func read<Number: StoredNumber>(_ type: Number.Type) -> [Number] {
      let values = decode(data, as: type)
      return order.map { $0.map { values[$0] } } ?? values
    }
    let elements: Elements =
      switch header.descr {
      case "<f4": .float32(read(Float.self))
      case "<f8": .float64(read(Double.self))
      case "<i4": .int32(read(Int32.self))
      case "<i8": .int64(read(Int64.self))
      default: .uint8(read(UInt8.self))
      }
    try self.init(shape: header.shape, elements, file: file)
  }

  /// Writes a `.npy` file of version 1.
  ///
  /// - Throws: ``TemperError`` of kind `io`; the file at `path` then stays as it was.
  public func write(to path: String) throws {
    try AtomicFile.write(serialized(), to: path)
  }

  /// The bytes that ``write(to:)`` writes.
  public func serialized() -> [UInt8] {
    let (descr, data) =
      switch elements {
      case .float32(let values): ("<f4", encode(values))
      case .float64(let values): ("<f8", encode(values))
      case .int32(let values): ("<i4", encode(values))
      case .int64(let values): ("<i8", encode(values))
      case .uint8(let values): ("|u1", values)
      }
    return Self.head(descr, shape) + data
  }

  /// What stands before the data of a file.
  static func head(_ descr: String, _ shape: [Int]) -> [UInt8] {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(dimensions)), }"
    // Magic, version, length, header and newline fill a multiple of 64.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    let length = [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
    return magic + [1, 0] + length + Array(header.utf8)
  }
}

/// For every row-major element of an array of `shape` without zeros, its place in column-major order.
private func columnMajorPlaces(_ shape: [Int]) -> [Int] {
  var places = [0]
  var stride = 1
  for dimension in shape {
    places = places.flatMap { place in (0..<dimension).map { place + $0 * stride } }
    stride *= dimension
  }
  return places
}
