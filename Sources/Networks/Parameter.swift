import Devices
import Tensors

/// How a parameter's elements lie in a PyTorch state dict, as opposed to Temper's own layout.
public enum StateLayout: Sendable, Equatable {
  /// The same order on both sides: biases, scales, running statistics.
  case vector
  /// (out, in) in PyTorch; (in, out) here.
  case linear
  /// As `linear` for a layer behind a flattened image of these extents: PyTorch flattens C, H, W and Temper
  /// flattens H, W, C.
  case linearAfterImage(height: Int, width: Int, channels: Int)
  /// (K, C, R, S) in PyTorch; (R, S, C, K) here.
  case convolution
}

/// What a network needs to know of a parameter before it has memory.
public struct ParameterSpec: Sendable {
  /// Name in the state dict, such as `features.0.weight`.
  public let name: String
  /// Extents in Temper's layout.
  public let shape: Shape
  /// Order of the elements on disk.
  public let layout: StateLayout
  /// How the first values are drawn.
  public let initialization: Initialization

  /// Creates a specification.
  public init(_ name: String, _ shape: Shape, layout: StateLayout, _ initialization: Initialization) {
    self.name = name
    self.shape = shape
    self.layout = layout
    self.initialization = initialization
  }
}

/// How initial values are drawn.
public enum Initialization: Sendable, Equatable {
  case constant(Float)
  /// Uniform in +-1 / sqrt(fanIn): PyTorch's default for linear layers and their biases.
  case uniform(fanIn: Int)
  /// Normal with variance 2 / fanIn, for layers followed by ReLU (He et al., ICCV 2015).
  case heNormal(fanIn: Int)
}

/// One trainable tensor of a network, a view of the network's flat buffer.
public final class Parameter: Watchable {
  /// Name, shape, layout and initialization.
  public let spec: ParameterSpec
  /// The values, on the device, without a history.
  let tensor: Tensor
  /// First element within the network's flat buffer.
  package let offset: Int
  private var node: TapeNode?

  init(_ spec: ParameterSpec, tensor: Tensor, offset: Int) {
    self.spec = spec
    self.tensor = tensor
    self.offset = offset
    tensor.buffer.keepsDerivedForms = true
  }

  /// The name in the state dict.
  public var name: String { spec.name }

  /// The values; recorded on the tape while a gradient at this parameter is wanted.
  public var value: Tensor {
    var value = tensor
    value.node = node
    return value
  }

  /// Whether a gradient at this parameter is wanted.
  var isWatched: Bool { node != nil }

  /// Starts or ends the recording of operations on ``value``.
  public func watch(_ token: WatchToken?) { node = token?.node }
}
