extension NpyArray {
  /// Reads every n-th row of a row-major `.npy` file, the first one included, so that memory holds at most `mostRows` rows of
  /// a file of any size.
  ///
  /// - Returns: The rows, how many the file has, and n, the smallest that suffices.
  /// - Throws: As ``init(contentsOf:)``, and `badData` for column-major data that would have to be thinned.
  public static func thinned(
    contentsOf path: String, mostRows: Int
  ) throws -> (array: NpyArray, rowCount: Int, step: Int) {
    precondition(mostRows >= 1, "At least a row must be wanted.")
    var head: [UInt8] = []
    var rows: ThinnedRows?
    try InputFile.readChunks(path) { chunk in
      if rows != nil { return rows!.take(chunk) }
      head.append(contentsOf: chunk)
      if head.count >= longestHeader { rows = try Self.rows(after: head, mostRows, path) }
    }
    if rows == nil { rows = try Self.rows(after: head, mostRows, path) }
    let read = rows!
    return (try read.array(), read.header.shape.first ?? 1, read.step)
  }

  /// More than any header of version 1 takes.
  private static let longestHeader = 1 << 17

  private static func rows(after head: [UInt8], _ mostRows: Int, _ path: String) throws -> ThinnedRows {
    let (header, start) = try header(head[...], file: path)
    var rows = try ThinnedRows(header, mostRows: mostRows, file: path)
    head.withUnsafeBytes { rows.take(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    return rows
  }
}

/// The wanted rows of a file whose bytes come in pieces.
private struct ThinnedRows {
  let header: NpyHeader
  let step: Int
  private let file: String
  private let rowSize: Int
  private var offset = 0
  private var bytes: [UInt8] = []

  init(_ header: NpyHeader, mostRows: Int, file: String) throws {
    self.header = header
    self.file = file
    let count = header.shape.first ?? 1
    step = count <= mostRows ? 1 : (count - 1) / mostRows + 1
    guard let values = elementCount(Array(header.shape.dropFirst())), let size = header.itemSize,
      let total = elementCount(header.shape + [size]), total < Int.max / 2, step == 1 || !header.isColumnMajor
    else {
      throw TemperError(
        .badData, file: file,
        "has shape \(header.shape) and type \(header.descr)\(header.isColumnMajor ? ", column-major" : ""): it cannot be thinned.",
        remedy: "Save it with numpy.ascontiguousarray(x, 'float32') in Python.")
    }
    rowSize = total == 0 ? 0 : values * size
  }

  mutating func take(_ chunk: UnsafeRawBufferPointer) {
    var place = 0
    while place < chunk.count {
      // Without values in a row, all bytes are too many; the array's own check says so.
      guard rowSize > 0 else { return bytes.append(contentsOf: chunk[place...]) }
      let (row, within) = (offset / rowSize, offset % rowSize)
      let count = min(rowSize - within, chunk.count - place)
      if row % step == 0 { bytes.append(contentsOf: chunk[place..<place + count]) }
      offset += count
      place += count
    }
  }

  func array() throws -> NpyArray {
    let count = header.shape.first ?? 1
    guard rowSize == 0 || offset == count * rowSize else {
      throw TemperError(
        .badData, file: file, "has shape \(header.shape), but \(offset) bytes of data.",
        remedy: "It is truncated or has other data behind the array: save it again.")
    }
    let shape =
      header.shape.isEmpty ? [] : [count == 0 ? 0 : (count - 1) / step + 1] + header.shape.dropFirst()
    let thinned = NpyHeader(descr: header.descr, isColumnMajor: header.isColumnMajor, shape: shape)
    return try NpyArray(thinned, data: bytes[...], file: file)
  }
}
