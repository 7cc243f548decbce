import Foundation

/// Files that are either whole or not there: written under a temporary name in the same folder, flushed to the
/// disk and renamed.
public enum AtomicFile {
  /// Writes bytes to a file, replacing what was there.
  /// - Throws: `.io` naming the file when the folder cannot be written to or the disk is full; what was there
  ///   before is then still there.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure(path, "cannot be created") }
    do {
      try writeAll(bytes, to: file, path)
      guard fsync(file) == 0 else { throw failure(path, "cannot be flushed to the disk") }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    guard close(file) == 0, rename(temporary, path) == 0 else {
      let error = failure(path, "cannot be put in its place")
      unlink(temporary)
      throw error
    }
  }

  /// Writes text to a file, replacing what was there.
  public static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

  private static func writeAll(_ bytes: [UInt8], to file: Int32, _ path: String) throws {
    try bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let count = Foundation.write(file, buffer.baseAddress! + done, min(buffer.count - done, 1 << 30))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure(path, "cannot be written") }
        done += count
      }
    }
  }

  private static func failure(_ path: String, _ what: String) -> TemperError {
    let code = errno
    let remedy =
      switch code {
      case ENOSPC, EDQUOT, EFBIG: "Free some space on that disk or choose another folder."
      case EACCES, EPERM, EROFS: "Choose a folder that you may write to."
      case ENOENT, ENOTDIR: "Make the folder first."
      default: "Check the folder and the disk."
      }
    return TemperError(.io, file: path, "\(what): \(String(cString: strerror(code)))", remedy: remedy)
  }
}

/// Files as bytes, with errors that name them.
public enum InputFile {
  /// The whole content of a file.
  /// - Throws: `.missingInput` when there is none, `.io` when it cannot be read.
  public static func read(_ path: String) throws -> [UInt8] {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw TemperError(.missingInput, file: path, "does not exist", remedy: "Check the path.")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw TemperError(.missingInput, file: path, "is a folder; a file is needed", remedy: "Check the path.")
    }
    do {
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw TemperError(.io, file: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
  }
}
