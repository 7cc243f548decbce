import Foundation

/// Writing files that are either complete or absent.
///
/// The content goes to a temporary name in the same folder, is flushed to the disk and then renamed, so a crash,
/// a full disk or a reader at the same time never shows half a file. An existing file keeps its content until
/// the new one is complete, and its permissions. Devices and pipes (`/dev/stdout`) are written directly.
public enum AtomicFile {
  /// Writes `bytes` as the file at `path`, replacing it if it exists.
  ///
  /// - Throws: ``TemperError`` of kind `io`, naming `path`. Nothing is left behind then.
  public static func write(_ bytes: some ContiguousBytes, to path: String) throws {
    try write(to: path) { try $0.write(bytes) }
  }

  /// Writes `text` in UTF-8 as the file at `path`, replacing it if it exists.
  ///
  /// - Throws: ``TemperError`` of kind `io`, naming `path`. Nothing is left behind then.
  public static func write(_ text: String, to path: String) throws {
    try write(to: path) { try $0.write(text) }
  }

  /// Writes the file at `path` piece by piece, replacing it if it exists.
  ///
  /// - Parameters:
  ///   - path: The file to write. Its folder must exist. A symbolic link is followed.
  ///   - body: Writes the content. If it throws, the file at `path` stays as it was.
  /// - Returns: What `body` returns.
  /// - Throws: ``TemperError`` of kind `io`, naming `path`, and what `body` throws. Nothing is left behind then.
  public static func write<Result>(to path: String, _ body: (Writer) throws -> Result) throws -> Result {
    var status = stat()
    guard stat(path, &status) == 0 else {
      // A dangling link is replaced by the file.
      return try replace(path, shownAs: path, permissions: nil, body)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      guard access(path, W_OK) == 0 else { throw writeError(path, code: errno) }
      return try replace(resolved(path), shownAs: path, permissions: status.st_mode & 0o7777, body)
    case S_IFDIR:
      throw writeError(path, code: EISDIR)
    default:
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw writeError(path, code: errno) }
      defer { close(descriptor) }
      let writer = Writer(descriptor: descriptor, path: path)
      let result = try body(writer)
      try writer.flush()
      return result
    }
  }

  /// Checks that a file at `path` could be written now, before work whose result shall go there. Nothing is left behind, and an
  /// existing file stays as it is.
  ///
  /// - Throws: ``TemperError`` of kind `io`, naming `path`.
  public static func checkWritable(_ path: String) throws {
    struct Probe: Error {}
    var status = stat()
    if stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) {
      // Opening a pipe would show its reader an end.
      guard access(path, W_OK) == 0 else { throw writeError(path, code: errno) }
      return
    }
    do { try write(to: path) { _ in throw Probe() } } catch is Probe {}
  }

  /// Checks that a folder could be made at `path`, with the folders above it, and files written into it.
  ///
  /// - Throws: ``TemperError`` of kind `io`, naming `path`.
  public static func checkFolder(_ path: String) throws {
    let url = URL(fileURLWithPath: path)
    var folder = url.path
    while folder != "/", !FileManager.default.fileExists(atPath: folder) {
      folder = (folder as NSString).deletingLastPathComponent
    }
    do {
      try checkWritable(folder + "/.temper-probe")
    } catch let error as TemperError {
      throw TemperError(
        .io, file: path, "cannot be made or written into: " + error.message,
        remedy: "Choose a folder that you may write to.")
    }
  }

  /// Writes a temporary file beside `target` and renames it. `path` is the name for error messages.
  private static func replace<Result>(
    _ target: String, shownAs path: String, permissions: mode_t?, _ body: (Writer) throws -> Result
  ) throws -> Result {
    let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { String(target[...$0]) } ?? "./"
    // Short, so that it is valid wherever the name asked for is.
    let unique = String(UInt64.random(in: 0 ... .max), radix: 36)
    let temporary = folder + ".temper-\(getpid())-\(unique).tmp"
    var descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw writeError(path, code: errno) }
    do {
      let writer = Writer(descriptor: descriptor, path: path)
      let result = try body(writer)
      try writer.flush()
      if let permissions { _ = fchmod(descriptor, permissions) }
      guard fsync(descriptor) == 0 else { throw writeError(path, code: errno) }
      let closed = close(descriptor)
      descriptor = -1
      guard closed == 0, rename(temporary, target) == 0 else { throw writeError(path, code: errno) }
      flushFolder(folder)
      return result
    } catch {
      if descriptor >= 0 { close(descriptor) }
      unlink(temporary)
      throw error
    }
  }

  /// Makes the rename itself durable. Not every file system can, so a failure is no error.
  private static func flushFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = fsync(descriptor)
    close(descriptor)
  }

  /// The file that `path` leads to, so that a symbolic link stays one.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  /// The error for a failed system call with `errno` = `code`.
  fileprivate static func writeError(_ path: String, code: Int32) -> TemperError {
    let remedy: String? =
      switch code {
      case ENOSPC, EDQUOT: "Free some space or choose another folder, then run the command again."
      case EFBIG: "Raise the limit on file sizes (ulimit -f) or choose another folder."
      case ENOENT, ENOTDIR: "Create its folder first or choose another one."
      case EACCES, EPERM, EROFS: "Check the permissions or choose another folder."
      case EISDIR: "Choose a file name; this is a folder."
      default: nil
      }
    let reason = code == ENOSPC ? "the disk is full" : systemMessage(code)
    return TemperError(.io, file: path, "cannot be written: \(reason).", remedy: remedy)
  }
}

extension AtomicFile {
  /// Takes the content of a file that is being written. Valid only during the call it is passed to.
  public final class Writer {
    private let descriptor: Int32
    private let path: String
    private var pending: [UInt8] = []
    private static let capacity = 1 << 16

    fileprivate init(descriptor: Int32, path: String) {
      self.descriptor = descriptor
      self.path = path
    }

    /// Appends `bytes`.
    ///
    /// - Throws: ``TemperError`` of kind `io`.
    public func write(_ bytes: some ContiguousBytes) throws {
      try bytes.withUnsafeBytes { try write($0) }
    }

    /// Appends `text` in UTF-8.
    ///
    /// - Throws: ``TemperError`` of kind `io`.
    public func write(_ text: String) throws {
      try write(Array(text.utf8))
    }

    /// Appends the bytes of `buffer`.
    ///
    /// - Throws: ``TemperError`` of kind `io`.
    public func write(_ buffer: UnsafeRawBufferPointer) throws {
      if pending.count + buffer.count > Self.capacity { try flush() }
      if buffer.count > Self.capacity {
        try send(buffer)
      } else {
        pending.append(contentsOf: buffer)
      }
    }

    fileprivate func flush() throws {
      try pending.withUnsafeBytes { try send($0) }
      pending.removeAll(keepingCapacity: true)
    }

    private func send(_ buffer: UnsafeRawBufferPointer) throws {
      var rest = buffer[...]
      while !rest.isEmpty {
        let part = UnsafeRawBufferPointer(rebasing: rest)
        let count = Foundation.write(descriptor, part.baseAddress, part.count)
        if count < 0 {
          if errno == EINTR { continue }
          throw AtomicFile.writeError(path, code: errno)
        }
        rest = rest.dropFirst(count)
      }
    }
  }
}
