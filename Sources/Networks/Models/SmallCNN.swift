import Devices
import Tensors

/// TRADES' network for 28 x 28 images: two blocks of two unpadded 3x3 convolutions and a max pool, then three
/// linear layers. On one channel and ten classes it has 312,202 weights.
///
/// Source: yaodongyu/TRADES, models/small_cnn.py. Names are those of `nn.Sequential` numbering.
public final class SmallCNN: Network {
  /// What it was made for.
  public let description: NetworkDescription
  /// Every trainable tensor.
  public let store: ParameterStore
  private let normalize: NormalizationLayer
  private let blocks: [(first: Conv2D, last: Conv2D)]
  private let classifier: [Linear]

  /// Makes the network with initial weights drawn from `seed`.
  public init(_ description: NetworkDescription, seed: UInt64, on device: Device) throws {
    self.description = description
    let (height, width) = (Self.pooled(description.height), Self.pooled(description.width))
    let image = StateLayout.linearAfterImage(height: height, width: width, channels: 64)
    store = try ParameterStore(
      Conv2D.specs("features.0", size: 3, description.channels, 32)
        + Conv2D.specs("features.2", size: 3, 32, 32)
        + Conv2D.specs("features.5", size: 3, 32, 64) + Conv2D.specs("features.7", size: 3, 64, 64)
        + Linear.specs("classifier.0", height * width * 64, 200, layout: image)
        + Linear.specs("classifier.2", 200, 200)
        + Linear.specs("classifier.4", 200, description.classes, isLast: true),
      seed: seed, on: device)
    normalize = try NormalizationLayer(description, on: device)
    blocks = [("features.0", "features.2"), ("features.5", "features.7")].map { [store] first, last in
      (Conv2D(store, first, activation: .relu), Conv2D(store, last, activation: .relu))
    }
    classifier = [
      Linear(store, "classifier.0", activation: .relu), Linear(store, "classifier.2", activation: .relu),
      Linear(store, "classifier.4"),
    ]
  }

  /// Extent of an image behind both blocks.
  static func pooled(_ extent: Int) -> Int { ((extent - 4) / 2 - 4) / 2 }

  /// Logits (N, classes) of images (N, H, W, C).
  public func logits(_ images: Tensor, mode: Mode) throws -> Tensor {
    var x = try normalize(images)
    for block in blocks { x = try block.last.maxPooled(block.first(x)) }
    x = try x.flattened()
    for layer in classifier { x = try layer(x) }
    return x
  }
}
