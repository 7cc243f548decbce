import Devices
import Tensors

/// Whether a network trains (batch norm uses the batch's statistics) or is evaluated. Attacks and evaluation
/// pass `.evaluation`; the mode is an argument, so that no call can leave a network in the wrong one.
public enum Mode: Sendable, CaseIterable { case training, evaluation }

/// A classifier: images in [0, 1] to logits. Normalisation is a layer inside it.
public protocol Network: AnyObject {
  /// What it is and what it was made for.
  var description: NetworkDescription { get }
  /// Every trainable tensor.
  var store: ParameterStore { get }
  /// Tensors of the state dict that are not trained, such as running statistics, by name.
  var statistics: [(name: String, tensor: Tensor)] { get }
  /// Logits (N, classes) of images (N, H, W, C).
  func logits(_ images: Tensor, mode: Mode) throws -> Tensor
}

extension Network {
  /// Logits (N, classes) of images (N, H, W, C) in [0, 1].
  /// - Throws: `.badData` if the images' extents are not those of the network.
  public func callAsFunction(_ images: Tensor, mode: Mode = .evaluation) throws -> Tensor {
    try description.check(images.shape)
    return try logits(images, mode: mode)
  }

  /// The trainable tensors in the order of the state dict.
  public var parameters: [Parameter] { store.parameters }
  /// Where the network lives.
  public var device: Device { store.device }
  /// Number of trainable values.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.spec.shape.count } }
  /// Networks without batch norm have no statistics.
  public var statistics: [(name: String, tensor: Tensor)] { [] }
}
