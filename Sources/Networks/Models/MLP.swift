import Devices
import Tensors

/// Two hidden layers of 256 and 128 ReLU units on the flattened image.
public final class MLP: Network {
  /// What it was made for.
  public let description: NetworkDescription
  /// Every trainable tensor.
  public let store: ParameterStore
  private let normalize: NormalizationLayer
  private let layers: [Linear]

  /// Makes the network with initial weights drawn from `seed`.
  public init(_ description: NetworkDescription, seed: UInt64, on device: Device) throws {
    self.description = description
    let (height, width, channels) = (description.height, description.width, description.channels)
    let image = StateLayout.linearAfterImage(height: height, width: width, channels: channels)
    store = try ParameterStore(
      Linear.specs("layers.0", height * width * channels, 256, layout: image)
        + Linear.specs("layers.2", 256, 128)
        + Linear.specs("layers.4", 128, description.classes, isLast: true),
      seed: seed, on: device)
    normalize = try NormalizationLayer(description, on: device)
    layers = [
      Linear(store, "layers.0", activation: .relu), Linear(store, "layers.2", activation: .relu),
      Linear(store, "layers.4"),
    ]
  }

  /// Logits (N, classes) of images (N, H, W, C).
  public func logits(_ images: Tensor, mode: Mode) throws -> Tensor {
    var x = try normalize(images).flattened()
    for layer in layers { x = try layer(x) }
    return x
  }
}
