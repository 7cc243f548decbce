import Devices
import FileFormats
import Foundation

/// A device's ``TuningTable`` in the cache folder, as JSON. Its name and content say for which device, driver and kernels it
/// was measured; a file that is damaged or belongs to others is ignored with a message.
package struct TuningFile: Sendable {
  package let path: String
  private let identity: Identity
  private let info: OpenCLDeviceInfo

  /// What the measurements depend on.
  private struct Identity: Codable, Equatable {
    let device, vendor, platform, version, driver, kernels, precision: String
  }

  private struct Content: Codable {
    static let format = "temper tuning 1"
    let format: String
    let identity: Identity
    let entries: [Row]
  }

  private struct Row: Codable {
    let key: TuningTable.Key
    let entry: TuningTable.Entry
  }

  /// - Parameters:
  ///   - precision: of the products.
  ///   - folder: by default that of the compiled programs; nil if there is none.
  package init?(
    _ info: OpenCLDeviceInfo, _ precision: Precision = .fp32,
    folder: String? = ProgramCache.standard?.folder
  ) {
    guard let folder else { return nil }
    self.info = info
    identity = Identity(
      device: info.name, vendor: info.vendor, platform: info.platform, version: info.version,
      driver: info.driver, kernels: Self.kernels, precision: precision.rawValue)
    let parts = info.identity + [Self.kernels, precision.rawValue]
    let digest = SHA256.hex(of: Array(parts.joined(separator: "\u{0}").utf8))
    path = "\(folder)/tuning-\(digest.prefix(16)).json"
  }

  /// The digest of the kernels that are tuned.
  private static let kernels: String = {
    let texts = ["matmul_gpu", "convolution_gpu", "winograd_gpu"].map { KernelSources.families[$0] ?? "" }
    return SHA256.hex(of: Array(texts.joined(separator: "\u{0}").utf8))
  }()

  /// The table; empty if there is no file.
  /// - Throws: `.badData` if the file is damaged, belongs to another device, driver or version of the kernels, or has
  ///   plans that this device cannot run.
  package func read() throws -> TuningTable {
    guard let data = FileManager.default.contents(atPath: path) else { return TuningTable() }
    func refuse(_ message: String) -> TemperError {
      TemperError(
        .badData, file: path, message,
        remedy: "It is ignored; delete it and run `temper tune` to measure again.")
    }
    guard let content = try? JSONDecoder().decode(Content.self, from: data), content.format == Content.format
    else {
      throw refuse("is damaged or no tuning file of this version")
    }
    guard content.identity == identity else {
      throw refuse("was measured on another device or driver (\(content.identity.device))")
    }
    var table = TuningTable()
    for row in content.entries {
      let (plan, extent) = (row.entry.plan, row.entry.winogradExtent ?? 0)
      guard plan.tile.fits(info), plan.tile.precision.rawValue == identity.precision,
        (1...1024).contains(plan.splits), [0, 2, 4].contains(extent)
      else {
        throw refuse("has a plan that the device cannot run (\(row.key))")
      }
      table.entries[row.key] = row.entry
    }
    return table
  }

  /// The table, or an empty one after a message on standard error that names the file.
  func readOrWarn() -> TuningTable {
    do { return try read() } catch {
      FileHandle.standardError.write(Data("temper: \(error)\n".utf8))
      return TuningTable()
    }
  }

  /// Writes the whole table under a temporary name, which is then renamed.
  package func write(_ table: TuningTable) throws {
    let folder = String(path[..<path.lastIndex(of: "/")!])
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let rows = table.entries.sorted { $0.key.description < $1.key.description }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let content = Content(
      format: Content.format, identity: identity, entries: rows.map { Row(key: $0.key, entry: $0.value) })
    try AtomicFile.write(encoder.encode(content), to: path)
  }
}
