import Tensors

/// A convolution without bias, batch norm and, in the same pass, a residual and the activation.
///
/// In evaluation mode batch norm is an affine map of each channel: it is folded into the weights, once per version
/// of them, so that the steps of an attack run plain convolutions.
final class ConvolutionNorm {
  private let weight: Parameter
  private let scale: Parameter
  private let shift: Parameter
  private let running: RunningStatistics
  private let normName: String
  private let stride: Int
  private let padding: Int
  private let zero: Tensor
  private var folded: (versions: [Int], weight: Tensor, bias: Tensor)?

  /// - Parameters:
  ///   - convolution: name of the convolution in the state dict, such as `layer1.0.conv1`.
  ///   - norm: name of the batch norm, such as `layer1.0.bn1`.
  init(_ store: ParameterStore, _ convolution: String, _ norm: String, stride: Int = 1, padding: Int) throws {
    weight = store[convolution + ".weight"]
    scale = store[norm + ".weight"]
    shift = store[norm + ".bias"]
    running = try RunningStatistics(channels: weight.spec.shape[3], on: store.device)
    zero = try Tensor(repeating: 0, shape: [weight.spec.shape[3]], on: store.device)
    normName = norm
    // Packed forms of the weights themselves are used once per update; what an attack repeats are the folded ones'.
    weight.tensor.buffer.keepsDerivedForms = false
    (self.stride, self.padding) = (stride, padding)
  }

  static func specs(
    _ convolution: String, _ norm: String, size: Int, _ channels: Int, _ filters: Int
  ) -> [ParameterSpec] {
    [
      Conv2D.weightSpec(convolution, size: size, channels, filters),
      ParameterSpec(norm + ".weight", [filters], layout: .vector, .constant(1)),
      ParameterSpec(norm + ".bias", [filters], layout: .vector, .constant(0)),
    ]
  }

  /// The running statistics under PyTorch's names.
  var statistics: [(name: String, tensor: Tensor)] {
    [(normName + ".running_mean", running.mean), (normName + ".running_var", running.variance)]
  }

  /// (N, H, W, C) to (N, outH, outW, K); `residual` has the result's shape.
  func callAsFunction(
    _ x: Tensor, mode: Mode, residual: Tensor? = nil, activation: Activation = .identity
  ) throws -> Tensor {
    let isWatched = weight.isWatched || scale.isWatched || shift.isWatched
    if mode == .evaluation, !isWatched {
      let (weight, bias) = try foldedWeights()
      let isLast = residual == nil
      let y = try conv2d(
        x, weight, bias: bias, stride: stride, padding: padding, activation: isLast ? activation : .identity)
      return try residual.map { try add(y, $0, activation: activation) } ?? y
    }
    folded = nil  // a step of training follows: its memory is for the convolution's own forms
    let y = try conv2d(x, weight.value, stride: stride, padding: padding)
    return try batchNorm(
      y, scale: scale.value, shift: shift.value, running: running,
      mode: mode == .training ? .training(momentum: 0.1) : .evaluation, residual: residual,
      activation: activation)
  }

  /// Weights and biases of the convolution that evaluation runs, made anew when anything they depend on changed.
  private func foldedWeights() throws -> (weight: Tensor, bias: Tensor) {
    let versions = [weight.tensor, scale.tensor, shift.tensor, running.mean, running.variance].map {
      $0.buffer.version
    }
    if let folded, folded.versions == versions { return (folded.weight, folded.bias) }
    func normalized(_ x: Tensor, shift: Tensor, mean: Tensor) throws -> Tensor {
      try batchNorm(
        x, scale: scale.tensor, shift: shift,
        running: RunningStatistics(mean: mean, variance: running.variance), mode: .evaluation)
    }
    let foldedWeight = try normalized(weight.tensor, shift: zero, mean: zero)
    let bias = try normalized(zero.reshaped([1, zero.shape[0]]), shift: shift.tensor, mean: running.mean)
    foldedWeight.buffer.keepsDerivedForms = true
    let result = (foldedWeight, try bias.reshaped(zero.shape))
    folded = (versions, result.0, result.1)
    return result
  }
}
