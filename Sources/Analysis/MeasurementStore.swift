import Attacks
import Datasets
import Devices
import FileFormats
import Foundation
import Logits
import Training

/// Tables and values of a run, kept in its `analysis` folder with what they depend on.
struct MeasurementStore {
  /// nil if the run is a bare weights file or its folder cannot be written: then nothing is kept.
  private let folder: String?
  private let origin: [String: String]

  init(run: String, weights: String, dataset: String, precision: Precision) throws {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: run, isDirectory: &isFolder)
    let kept = run + "/analysis"
    folder =
      isFolder.boolValue && (try? RunFolder(kept).create()) != nil
        && FileManager.default.isWritableFile(atPath: kept) ? kept : nil
    var origin = ["weights_sha256": SHA256.hex(of: try InputFile.read(weights)), "dataset": dataset]
    if precision != .fp32 { origin["precision"] = precision.rawValue }
    self.origin = origin
  }

  /// The table that is kept by this name, if it was made of the same weights, images and attack; else a new one.
  func table(
    _ name: String, images: ImageDataset, attack: PGD?, _ make: ([String: String]) throws -> LogitTable
  ) throws -> LogitTable {
    let provenance = provenance(images, attack)
    let path = folder.map { "\($0)/\(name).safetensors" }
    if let path, let kept = try? LogitTable(contentsOf: path), kept.provenance == provenance { return kept }
    let table = try make(provenance)
    if let path { try table.write(to: path) }
    return table
  }

  /// As ``table(_:images:attack:_:)`` for a value.
  func value<Value: Codable>(
    _ name: String, images: ImageDataset, attack: PGD, _ make: () throws -> Value
  ) throws -> Value {
    let provenance = provenance(images, attack)
    let path = folder.map { "\($0)/\(name).json" }
    if let path, let data = FileManager.default.contents(atPath: path),
      let kept = try? JSONDecoder().decode(KeptValue<Value>.self, from: data), kept.provenance == provenance
    {
      return kept.value
    }
    let value = try make()
    if let path {
      try AtomicFile.write(
        [UInt8](try JSONEncoder().encode(KeptValue(provenance: provenance, value: value))), to: path)
    }
    return value
  }

  private func provenance(_ images: ImageDataset, _ attack: PGD?) -> [String: String] {
    var provenance = origin
    provenance[LogitTable.ProvenanceKey.imagesSHA256] = SHA256.hex(of: images.images)
    provenance[LogitTable.ProvenanceKey.attack] =
      attack.map {
        "pgd \($0.threat.norm.rawValue) steps \($0.steps) step-size \($0.stepSize) seed \($0.seed)"
          + " loss \($0.loss.rawValue)" + ($0.randomStart ? " random-start" : "")
      } ?? "none"
    provenance[LogitTable.ProvenanceKey.epsilon] = attack.map(\.threat.epsilon.text) ?? "0"
    return provenance
  }
}

/// A value with what it depends on.
private struct KeptValue<Value: Codable>: Codable {
  let provenance: [String: String]
  let value: Value
}
