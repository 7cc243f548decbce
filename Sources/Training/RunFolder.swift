import Attacks
import FileFormats
import Foundation
import Networks

/// The folder of one training run: `config.yaml`, `metrics.csv`, `best.safetensors`, `last.safetensors` and,
/// until it is finished, `checkpoint.safetensors`.
public struct RunFolder: Sendable {
  /// The folder.
  public let path: String

  /// Names a folder; nothing is made or read.
  public init(_ path: String) { self.path = path }

  /// Every setting of the run.
  public var configuration: String { path + "/config.yaml" }
  /// One line per epoch.
  public var metrics: String { path + "/metrics.csv" }
  /// The weights of the epoch that did best on the validation images.
  public var best: String { path + "/best.safetensors" }
  /// The weights of the last finished epoch.
  public var last: String { path + "/last.safetensors" }
  /// What resuming needs.
  public var checkpoint: String { path + "/checkpoint.safetensors" }

  /// Whether the run is finished.
  public var isComplete: Bool {
    exists(last) && exists(best) && exists(configuration) && !exists(checkpoint)
  }

  /// Makes the folder.
  public func create() throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw TemperError(.io, file: path, "cannot be made", remedy: "Choose a folder that you may write to.")
    }
  }

  /// The weights of a run: a run folder's best ones, or the file itself if a file is named.
  public static func weights(of path: String, last: Bool = false) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw TemperError(
        .missingInput, file: path, "does not exist",
        remedy: "Give a run folder of `temper train` or a .safetensors file.")
    }
    guard isFolder.boolValue else { return path }
    let folder = RunFolder(path)
    let file = last ? folder.last : folder.best
    guard folder.exists(file) else {
      throw TemperError(
        .missingInput, file: file, "does not exist; the run has not finished an epoch",
        remedy: "Run `temper train` with the same --out to go on.")
    }
    return file
  }

  func exists(_ file: String) -> Bool { FileManager.default.fileExists(atPath: file) }
}
