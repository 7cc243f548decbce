import Foundation

/// The rows of a row-major `.npy` file of floats, read as they are needed, so that the file may be larger than the memory.
public final class NpyRows {
  /// The dimensions; the first one counts the rows.
  public let shape: [Int]
  /// The file, for error messages.
  public let file: String
  private let header: NpyHeader
  private let start: Int
  private let rowSize: Int
  private let descriptor: Int32

  /// Opens a file and checks its header and size.
  ///
  /// - Throws: ``TemperError`` of kind `missingInput` or `io` if it cannot be read, `badData` if its content is wrong.
  public init(contentsOf path: String) throws {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw TemperError(
        errno == ENOENT ? .missingInput : .io, file: path, "cannot be read: \(systemMessage(errno)).",
        remedy: "Check the path and the current folder.")
    }
    file = path
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw TemperError(.io, file: path, "is no regular file.", remedy: "Name a file.")
    }
    do {
      let head = try Self.read(descriptor, 0, min(1 << 17, Int(status.st_size)), path)
      (header, start) = try NpyArray.header(head[...], file: path)
      shape = header.shape
      guard let size = header.itemSize, let total = elementCount(shape + [size]), let count = shape.first,
        total == Int(status.st_size) - start
      else {
        throw TemperError(
          .badData, file: path,
          "has shape \(header.shape) and type \(header.descr), but \(Int(status.st_size) - start) bytes of data.",
          remedy: "It is truncated or of another type: save it again with .astype('float32') in Python.")
      }
      guard !header.isColumnMajor else {
        throw TemperError(
          .badData, file: path, "is column-major.", remedy: "Save it with numpy.ascontiguousarray in Python.")
      }
      rowSize = count == 0 ? 0 : total / count
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// The values of some rows.
  ///
  /// - Throws: ``TemperError`` of kind `io` if the file cannot be read, `badData` if it holds integers or has become shorter.
  public func floats(_ rows: Range<Int>) throws -> [Float] {
    let bytes = try Self.read(descriptor, start + rows.lowerBound * rowSize, rows.count * rowSize, file)
    let part = NpyHeader(
      descr: header.descr, isColumnMajor: false, shape: [rows.count] + shape.dropFirst())
    return try NpyArray(part, data: bytes[...], file: file).floats()
  }

  private static func read(_ descriptor: Int32, _ offset: Int, _ count: Int, _ path: String) throws -> [UInt8]
  {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, count - done, off_t(offset + done))
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else {
        throw TemperError(.io, file: path, "cannot be read: \(systemMessage(errno)).")
      }
      guard got > 0 else { throw TemperError(.badData, file: path, "is truncated.") }
      done += got
    }
    return bytes
  }
}

extension NpyArray {
  /// Writes a `.npy` file of floats piece by piece.
  ///
  /// - Parameters:
  ///   - shape: the dimensions.
  ///   - body: calls its argument with the values in order.
  /// - Throws: ``TemperError`` of kind `io`, and what `body` throws; the file at `path` then stays as it was.
  public static func write(
    shape: [Int], to path: String, _ body: (_ append: ([Float]) throws -> Void) throws -> Void
  ) throws {
    try AtomicFile.write(to: path) { writer in
      var count = 0
      try writer.write(head("<f4", shape))
      try body { values in
        count += values.count
        try writer.write(encode(values))
      }
      precondition(count == elementCount(shape), "\(count) values do not fit shape \(shape)")
    }
  }
}
