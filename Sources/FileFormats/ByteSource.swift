import Foundation

/// Bytes that can be read from any place.
protocol ByteSource: Sendable {
  /// How many there are.
  var count: Int { get }
  /// Some of them.
  ///
  /// - Throws: ``TemperError`` of kind `io` if they cannot be read, `badData` if they are no longer there.
  func read(_ range: Range<Int>) throws -> [UInt8]
}

/// Bytes in memory.
struct MemoryBytes: ByteSource {
  let bytes: [UInt8]
  var count: Int { bytes.count }

  func read(_ range: Range<Int>) -> [UInt8] { Array(bytes[range]) }
}

/// A part of other bytes.
struct BytesSlice: ByteSource {
  let base: any ByteSource
  let range: Range<Int>
  var count: Int { range.count }

  func read(_ part: Range<Int>) throws -> [UInt8] {
    precondition(part.lowerBound >= 0 && part.upperBound <= count, "Bytes beyond the end.")
    return try base.read(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }
}

/// The bytes of a regular file, read as they are needed. Closes the file at the end.
final class FileBytes: ByteSource {
  let count: Int
  private let path: String
  private let descriptor: Int32

  /// The bytes of the file at `path`; those of a pipe are read into memory.
  ///
  /// - Throws: As ``InputFile/read(_:remedy:)``.
  static func open(_ path: String) throws -> any ByteSource {
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      if descriptor >= 0 { close(descriptor) }
      return MemoryBytes(bytes: try InputFile.read(path))
    }
    return FileBytes(descriptor, count: Int(status.st_size), path: path)
  }

  /// Takes over an open file of `count` bytes, which errors call `path`.
  init(_ descriptor: Int32, count: Int, path: String) {
    (self.descriptor, self.count, self.path) = (descriptor, count, path)
  }

  deinit { close(descriptor) }

  func read(_ range: Range<Int>) throws -> [UInt8] {
    // An uninitialised array of no elements would write its count to the one that all empty arrays share.
    guard !range.isEmpty else { return [] }
    return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, done in
      while done < range.count {
        let rest = UnsafeMutableRawPointer(buffer.baseAddress! + done)
        let got = pread(descriptor, rest, range.count - done, off_t(range.lowerBound + done))
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else {
          throw TemperError(.io, file: path, "cannot be read: \(systemMessage(errno)).")
        }
        guard got > 0 else { throw TemperError(.badData, file: path, "is truncated.") }
        done += got
      }
    }
  }
}

/// A file without a name that is written once and then read; it vanishes with its last reader.
final class TemporaryBytes {
  private let descriptor: Int32
  private let folder = NSTemporaryDirectory()
  private var count = 0

  /// - Throws: ``TemperError`` of kind `io` if there is no place for it.
  init() throws {
    var name = Array((folder + "/temper-XXXXXX").utf8CString)
    descriptor = mkstemp(&name)
    guard descriptor >= 0 else { throw Self.fault(folder) }
    unlink(name)
  }

  /// Appends bytes.
  ///
  /// - Throws: ``TemperError`` of kind `io`, as where the disk is full.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let sent = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if sent < 0, errno == EINTR { continue }
      guard sent > 0 else { throw Self.fault(folder) }
      done += sent
    }
    count += bytes.count
  }

  /// What was written.
  func finished() throws -> any ByteSource {
    let copy = dup(descriptor)
    guard copy >= 0 else { throw Self.fault(folder) }
    return FileBytes(copy, count: count, path: folder)
  }

  deinit { close(descriptor) }

  private static func fault(_ folder: String) -> TemperError {
    TemperError(
      .io, file: folder, "cannot take a temporary file: \(systemMessage(errno)).",
      remedy: "Free some space there, or name another folder in TMPDIR.")
  }
}
