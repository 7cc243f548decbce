import Foundation

/// Reading whole files, with errors that say what to do.
public enum InputFile {
  /// Reads the whole file at `path`.
  ///
  /// - Parameters:
  ///   - path: A regular file or a pipe.
  ///   - remedy: What the user can do when the file does not exist; nil gives a general hint.
  /// - Throws: ``TemperError`` of kind `missingInput` if the file does not exist, `io` if it is a folder or a
  ///   device or cannot be read.
  public static func read(_ path: String, remedy: String? = nil) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try readChunks(path, remedy: remedy, reserve: { bytes.reserveCapacity($0) }) {
      bytes.append(contentsOf: $0)
    }
    return bytes
  }

  /// Reads the file at `path` in pieces, so that its size does not matter.
  ///
  /// - Parameters:
  ///   - path: A regular file or a pipe.
  ///   - remedy: What the user can do when the file does not exist; nil gives a general hint.
  ///   - reserve: Called once with the size in bytes of a regular file, before the first piece.
  ///   - body: Called with each piece in order. The pointer is valid during the call only.
  /// - Throws: As ``read(_:remedy:)``, and what `body` throws.
  package static func readChunks(
    _ path: String, remedy: String? = nil, reserve: (Int) -> Void = { _ in },
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw openError(path, code: errno, remedy: remedy) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw readError(path, code: errno) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: reserve(Int(status.st_size))
    case S_IFIFO: break
    case S_IFDIR: throw readError(path, code: EISDIR)
    default: throw TemperError(.io, file: path, "is neither a file nor a pipe.", remedy: "Name a file.")
    }
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { chunk.deallocate() }
    while true {
      let count = Foundation.read(descriptor, chunk.baseAddress, chunk.count)
      if count == 0 { return }
      if count < 0 {
        if errno == EINTR { continue }
        throw readError(path, code: errno)
      }
      try body(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
    }
  }

  private static func openError(_ path: String, code: Int32, remedy: String?) -> TemperError {
    guard code == ENOENT || code == ENOTDIR else { return readError(path, code: code) }
    return TemperError(
      .missingInput, file: path, "does not exist.", remedy: remedy ?? "Check the path and the current folder."
    )
  }

  private static func readError(_ path: String, code: Int32) -> TemperError {
    let remedy: String? =
      switch code {
      case EACCES, EPERM: "Check the permissions of the file and of its folders."
      case EISDIR: "Name a file inside the folder."
      default: nil
      }
    return TemperError(.io, file: path, "cannot be read: \(systemMessage(code)).", remedy: remedy)
  }
}

/// The system's words for an `errno` value.
func systemMessage(_ code: Int32) -> String {
  String(cString: strerror(code))
}
