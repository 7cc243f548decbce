import CZlib
import FileFormats
import Foundation

/// Bytes of a file, inflated if it is gzipped. Memory grows with what is really there, not with what a header
/// announces.
final class GzipStream {
  private let file: gzFile
  private let path: String
  private static let chunk = 1 << 22

  init(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw TemperError(.missingInput, file: path, "does not exist", remedy: "Check --data-dir.")
    }
    guard let file = gzopen(path, "rb") else { throw TemperError(.io, file: path, "cannot be opened") }
    self.file = file
    self.path = path
    gzbuffer(file, 1 << 18)
  }

  deinit { gzclose(file) }

  func read(_ count: Int, _ field: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let wanted = min(Self.chunk, count - bytes.count)
      var part = [UInt8](repeating: 0, count: wanted)
      let got = Int(gzread(file, &part, UInt32(wanted)))
      guard got >= 0 else { throw damaged(field) }
      guard got > 0 else {
        throw TemperError(
          .badData, file: path, field: field,
          "ends after \(bytes.count) of \(count) bytes: the file is truncated",
          remedy: "Fetch the file again.")
      }
      bytes += part[..<got]
    }
    return bytes
  }

  /// Everything up to the end, at most `limit` bytes.
  func readAll(limit: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: Self.chunk)
    while bytes.count <= limit {
      let got = Int(gzread(file, &part, UInt32(Self.chunk)))
      guard got >= 0 else { throw damaged("data") }
      if got == 0 { break }
      bytes += part[..<got]
    }
    var code: Int32 = 0
    _ = gzerror(file, &code)
    guard code == Z_OK else { throw damaged("data") }
    return bytes
  }

  /// Reads on to the end, which also verifies the checksum of a gzipped file.
  func expectEnd(after what: String) throws {
    var extra = [UInt8](repeating: 0, count: 1)
    let got = gzread(file, &extra, 1)
    guard got >= 0 else { throw damaged("data") }
    guard got == 0 else {
      throw TemperError(
        .badData, file: path, field: "data", "goes on after the \(what) values that the header announces",
        remedy: "Fetch the file again.")
    }
    var code: Int32 = 0
    _ = gzerror(file, &code)
    guard code == Z_OK else { throw damaged("data") }
  }

  private func damaged(_ field: String) -> TemperError {
    var code: Int32 = 0
    let text = gzerror(file, &code).map { String(cString: $0) } ?? ""
    return TemperError(
      .badData, file: path, field: field, "is damaged gzip data (\(text))", remedy: "Fetch the file again.")
  }
}
