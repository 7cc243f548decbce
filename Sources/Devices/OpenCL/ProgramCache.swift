import FileFormats
import Foundation

/// Compiled OpenCL programs on disk, one file per (source, options, device, driver). Files are written whole
/// and renamed, so that concurrent writers and a full disk leave no broken entry; a damaged one is ignored.
package struct ProgramCache: Sendable {
  /// Where the files are.
  package let folder: String
  private static let magic = Array("TMPRCL01".utf8)

  /// `TEMPER_CACHE_DIR`, else `temper` in `XDG_CACHE_HOME`, else `~/.cache/temper`. None when the variable is
  /// set but empty.
  package static let standard: ProgramCache? = {
    let environment = ProcessInfo.processInfo.environment
    if let chosen = environment["TEMPER_CACHE_DIR"] {
      return chosen.isEmpty ? nil : ProgramCache(folder: chosen)
    }
    if let base = environment["XDG_CACHE_HOME"], !base.isEmpty {
      return ProgramCache(folder: base + "/temper")
    }
    return environment["HOME"].map { ProgramCache(folder: $0 + "/.cache/temper") }
  }()

  private func path(_ key: [String]) -> String {
    folder + "/" + SHA256.hex(of: Array(key.joined(separator: "\u{0}").utf8)) + ".clbin"
  }

  func binary(for key: [String]) -> [UInt8]? {
    guard let data = FileManager.default.contents(atPath: path(key)) else { return nil }
    let bytes = [UInt8](data)
    let start = Self.magic.count + 64
    guard bytes.count > start, bytes.starts(with: Self.magic) else { return nil }
    let content = Array(bytes[start...])
    guard Array(SHA256.hex(of: content).utf8) == Array(bytes[Self.magic.count..<start]) else { return nil }
    return content
  }

  /// Failing to store is no error: the next start compiles again.
  func store(_ binary: [UInt8], for key: [String]) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let checksum = Array(SHA256.hex(of: binary).utf8)
    try? AtomicFile.write(Self.magic + checksum + binary, to: path(key))
  }
}
