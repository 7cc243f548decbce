import Devices
import FileFormats
import Foundation

/// A network's weights on disk: safetensors in PyTorch's layout, with metadata that says what they are.
public enum WeightsFile {
  /// Keys of the metadata that describe the network; others are kept as they are.
  private enum Key {
    static let model = "model"
    static let input = "input_shape"
    static let classes = "classes"
    static let normalization = "normalization"
    static let widthMultiplier = "width_multiplier"
  }

  /// Writes a network.
  /// - Parameter metadata: what else to say, such as the data set, class names, epsilon and seed.
  public static func write(
    _ network: any Network, to path: String, metadata: [String: String] = [:]
  ) throws {
    var file = Safetensors()
    for tensor in try StateDict.tensors(of: network) {
      try file.append(tensor.name, shape: tensor.shape, floats: tensor.values)
    }
    let description = network.description
    file.metadata = metadata
    file.metadata["format"] = "pt"
    file.metadata[Key.model] = description.model
    file.metadata[Key.input] = "\(description.channels),\(description.height),\(description.width)"
    file.metadata[Key.classes] = "\(description.classes)"
    if description.widthMultiplier != 1 {
      file.metadata[Key.widthMultiplier] = "\(description.widthMultiplier)"
    }
    if let normalization = description.normalization {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      file.metadata[Key.normalization] = String(decoding: try encoder.encode(normalization), as: UTF8.self)
    } else {
      file.metadata[Key.normalization] = "none"
    }
    try file.write(to: path)
  }

  /// Reads a network.
  /// - Parameters:
  ///   - model: the architecture, for files of other programs that do not name it.
  ///   - fallback: extents and classes, for such files.
  /// - Returns: the network on `device` and the file's metadata.
  public static func read(
    _ path: String, model: String? = nil, fallback: NetworkDescription? = nil, on device: Device
  ) throws -> (network: any Network, metadata: [String: String]) {
    let file = try Safetensors(contentsOf: path)
    let description = try self.description(file, path, model, fallback)
    let network = try ModelCatalog.make(description, seed: 0, on: device)
    try StateDict.load(into: network, file: path) { name in
      guard file.contains(name) else {
        throw TemperError(
          .badData, file: path, field: name, "is missing; \(description.model) has this tensor",
          remedy: "Choose the --model that these weights were saved from.")
      }
      return try file.floats(name)
    }
    return (network, file.metadata)
  }

  private static func description(
    _ file: Safetensors, _ path: String, _ model: String?, _ fallback: NetworkDescription?
  ) throws -> NetworkDescription {
    let metadata = file.metadata
    guard let model = model ?? metadata[Key.model] else {
      throw TemperError(
        .badData, file: path, field: Key.model, "the metadata does not name the model",
        remedy: "Give --model, one of \(ModelCatalog.names.joined(separator: ", ")).")
    }
    let extents = metadata[Key.input].map { $0.split(separator: ",").compactMap { Int($0) } }
    var normalization = fallback?.normalization
    if let text = metadata[Key.normalization], text != "none" {
      normalization = try? JSONDecoder().decode(Normalization.self, from: Data(text.utf8))
      guard normalization != nil else {
        throw TemperError(.badData, file: path, field: Key.normalization, "is not understood: \(text)")
      }
    }
    let multiplier =
      metadata[Key.widthMultiplier].map { Double($0) ?? .nan } ?? fallback?.widthMultiplier ?? 1
    if let extents {
      guard extents.count == 3, extents.allSatisfy({ (1...65536).contains($0) }) else {
        throw TemperError(.badData, file: path, field: Key.input, "is not channels,height,width")
      }
      guard let classes = metadata[Key.classes].flatMap({ Int($0) }), (2...1_000_000).contains(classes) else {
        throw TemperError(.badData, file: path, field: Key.classes, "is no number of classes")
      }
      return NetworkDescription(
        model: model, height: extents[1], width: extents[2], channels: extents[0], classes: classes,
        widthMultiplier: multiplier, normalization: normalization)
    }
    guard let fallback else {
      throw TemperError(
        .badData, file: path, field: Key.input, "the metadata does not give the images' extents")
    }
    return NetworkDescription(
      model: model, height: fallback.height, width: fallback.width, channels: fallback.channels,
      classes: fallback.classes, widthMultiplier: multiplier, normalization: normalization)
  }
}
