import Devices
import FileFormats

/// The architectures that can be made by name.
public enum ModelCatalog {
  /// Names that ``make(_:seed:on:)`` knows.
  public static let names = ["small-cnn", "mlp", "resnet18"]

  /// Makes a network with initial weights drawn from `seed`, the same on every device.
  /// - Throws: `.usage` for an unknown name, `.badData` for images too small for the architecture.
  public static func make(
    _ description: NetworkDescription, seed: UInt64, on device: Device
  ) throws -> any Network {
    switch description.model {
    case "small-cnn":
      guard SmallCNN.pooled(description.height) >= 1, SmallCNN.pooled(description.width) >= 1 else {
        throw TemperError(
          .badData, field: "images",
          "of \(description.height) x \(description.width) are too small for small-cnn",
          remedy: "Use images of at least 16 x 16, or --model mlp.")
      }
      return try SmallCNN(description, seed: seed, on: device)
    case "mlp":
      return try MLP(description, seed: seed, on: device)
    case "resnet18":
      guard (1.0 / 64...16).contains(description.widthMultiplier) else {
        throw TemperError(
          .usage, field: "--width-multiplier", "is \(description.widthMultiplier)",
          remedy: "Give a number from 1/64 to 16.")
      }
      return try ResNet18(description, seed: seed, on: device)
    default:
      throw TemperError(
        .usage, field: "--model", "there is no model \"\(description.model)\"",
        remedy: "Choose one of \(names.joined(separator: ", ")).")
    }
  }
}
