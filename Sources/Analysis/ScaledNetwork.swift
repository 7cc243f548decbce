import Devices
import Networks
import Tensors

/// A network whose logits are multiplied by a factor: the same predictions, other losses and gradients.
public final class ScaledNetwork: Network {
  private let network: any Network
  private let factor: Float

  /// Wraps a network; its parameters stay its own.
  public init(_ network: any Network, by factor: Float) {
    self.network = network
    self.factor = factor
  }

  /// See ``Network``.
  public var description: NetworkDescription { network.description }
  /// See ``Network``.
  public var store: ParameterStore { network.store }
  /// See ``Network``.
  public var statistics: [(name: String, tensor: Tensor)] { network.statistics }
  /// See ``Network``.
  public func logits(_ images: Tensor, mode: Mode) throws -> Tensor {
    try scale(try network.logits(images, mode: mode), by: factor)
  }
}
