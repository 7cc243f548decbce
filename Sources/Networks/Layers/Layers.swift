import Tensors

/// A fully connected layer: x W + bias, then the activation.
public struct Linear {
  let weight: Parameter
  let bias: Parameter
  let activation: Activation

  init(_ store: ParameterStore, _ name: String, activation: Activation = .identity) {
    weight = store[name + ".weight"]
    bias = store[name + ".bias"]
    self.activation = activation
  }

  /// - Parameter isLast: whether logits come out, rather than values for a ReLU.
  static func specs(
    _ name: String, _ inputs: Int, _ outputs: Int, layout: StateLayout = .linear, isLast: Bool = false
  ) -> [ParameterSpec] {
    let weights = isLast ? Initialization.uniform(fanIn: inputs) : .heNormal(fanIn: inputs)
    return [
      ParameterSpec(name + ".weight", [inputs, outputs], layout: layout, weights),
      ParameterSpec(name + ".bias", [outputs], layout: .vector, .constant(0)),
    ]
  }

  /// (N, in) to (N, out).
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try linear(x, weight.value, bias: bias.value, activation: activation)
  }
}

/// A convolution with bias, then the activation.
public struct Conv2D {
  let weight: Parameter
  let bias: Parameter
  let activation: Activation

  init(_ store: ParameterStore, _ name: String, activation: Activation = .identity) {
    weight = store[name + ".weight"]
    bias = store[name + ".bias"]
    self.activation = activation
  }

  static func specs(_ name: String, size: Int, _ channels: Int, _ filters: Int) -> [ParameterSpec] {
    [
      weightSpec(name, size: size, channels, filters),
      ParameterSpec(name + ".bias", [filters], layout: .vector, .constant(0)),
    ]
  }

  static func weightSpec(_ name: String, size: Int, _ channels: Int, _ filters: Int) -> ParameterSpec {
    ParameterSpec(
      name + ".weight", [size, size, channels, filters], layout: .convolution,
      .heNormal(fanIn: size * size * channels))
  }

  /// (N, H, W, C) to (N, outH, outW, K).
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try conv2d(x, weight.value, bias: bias.value, activation: activation)
  }

  /// The same with ReLU as its activation, then a max pool of 2 x 2: (N, H, W, C) to (N, outH / 2, outW / 2, K).
  public func maxPooled(_ x: Tensor) throws -> Tensor {
    precondition(activation == .relu)
    return try conv2dMaxPooled(x, weight.value, bias: bias.value)
  }
}
