/// The rows of an array in a file, read as they are needed, so that the array may be larger than the memory.
public struct ArrayRows: Sendable {
  /// The dimensions; the first one counts the rows.
  public let shape: [Int]
  /// The file, for error messages.
  public let file: String?
  private let elements: Elements
  /// The elements alone, row-major.
  private let bytes: any ByteSource
  private let rowSize: Int

  /// What the elements are, by the format that holds them.
  private enum Elements {
    case npy(NpyHeader)
    case tensor(name: String, Safetensors.DType)
  }

  /// Opens a `.npy` file and checks its header and size.
  ///
  /// - Parameter reordersColumns: Column-major data is read as a whole and reordered; otherwise it is refused.
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if its content is wrong.
  public init(npy path: String, reordersColumns: Bool = false) throws {
    try self.init(npy: FileBytes.open(path), file: path, reordersColumns: reordersColumns)
  }

  init(npy bytes: any ByteSource, file: String?, reordersColumns: Bool = true) throws {
    let head = try bytes.read(0..<min(1 << 17, bytes.count))
    let (header, start) = try NpyArray.header(head[...], file: file)
    guard let size = header.itemSize, let total = elementCount(header.shape + [size]),
      total == bytes.count - start
    else {
      throw TemperError(
        .badData, file: file,
        "has shape \(header.shape) and type \(header.descr), but \(bytes.count - start) bytes of data.",
        remedy: "It is truncated or of another type: save it again with .astype('float32') in Python.")
    }
    if header.isColumnMajor {
      guard reordersColumns else {
        throw TemperError(
          .badData, file: file, "is column-major.", remedy: "Save it with numpy.ascontiguousarray in Python.")
      }
      let ordered = try NpyArray(bytes: bytes.read(0..<bytes.count), file: file).serialized()
      try self.init(npy: MemoryBytes(bytes: ordered), file: file)
    } else {
      self.init(
        header.shape, .npy(header), BytesSlice(base: bytes, range: start..<bytes.count), file, itemSize: size)
    }
  }

  /// The array `name` of a safetensors file, whose elements are `bytes`.
  init(
    tensor name: String, _ dtype: Safetensors.DType, shape: [Int], _ bytes: any ByteSource, file: String?
  ) {
    self.init(shape, .tensor(name: name, dtype), bytes, file, itemSize: dtype.itemSize)
  }

  private init(_ shape: [Int], _ elements: Elements, _ bytes: any ByteSource, _ file: String?, itemSize: Int)
  {
    (self.shape, self.elements, self.bytes, self.file) = (shape, elements, bytes, file)
    rowSize = shape.contains(0) ? 0 : itemSize * shape.dropFirst().reduce(1, *)
  }

  /// The number of rows; 1 for a scalar.
  public var count: Int { shape.first ?? 1 }

  /// The values of some rows.
  ///
  /// - Throws: ``TemperError`` of kind `io` if the file cannot be read, `badData` if it holds integers or has become shorter.
  public func floats(_ rows: Range<Int>) throws -> [Float] {
    switch elements {
    case .npy(let header): return try part(header, rows).floats()
    case .tensor(let name, let dtype): return try part(name, dtype, rows).floats(name).values
    }
  }

  /// The values of some rows as Int64.
  ///
  /// - Throws: ``TemperError`` of kind `io` if the file cannot be read, `badData` if it holds floating-point numbers or has
  ///   become shorter.
  public func int64s(_ rows: Range<Int>) throws -> [Int64] {
    switch elements {
    case .npy(let header): return try part(header, rows).int64s()
    case .tensor(let name, let dtype): return try part(name, dtype, rows).int64s(name).values
    }
  }

  /// The values of some rows as Int32.
  ///
  /// - Throws: As ``int64s(_:)``, and `badData` for a number beyond 32 bits.
  public func int32s(_ rows: Range<Int>) throws -> [Int32] {
    switch elements {
    case .npy(let header): return try part(header, rows).int32s()
    case .tensor(let name, let dtype): return try part(name, dtype, rows).int32s(name).values
    }
  }

  private func data(_ rows: Range<Int>) throws -> [UInt8] {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "Rows beyond the end.")
    return try bytes.read(rows.lowerBound * rowSize..<rows.upperBound * rowSize)
  }

  private func partShape(_ rows: Range<Int>) -> [Int] {
    shape.isEmpty ? [] : [rows.count] + shape.dropFirst()
  }

  private func part(_ header: NpyHeader, _ rows: Range<Int>) throws -> NpyArray {
    let head = NpyHeader(descr: header.descr, isColumnMajor: false, shape: partShape(rows))
    return try NpyArray(head, data: try data(rows)[...], file: file)
  }

  private func part(_ name: String, _ dtype: Safetensors.DType, _ rows: Range<Int>) throws -> Safetensors {
    var part = Safetensors(metadata: [:], file: file)
    try part.append(name, shape: partShape(rows), dtype: dtype, bytes: try data(rows))
    return part
  }
}
