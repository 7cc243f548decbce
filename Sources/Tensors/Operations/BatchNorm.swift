import Devices

/// The mean and variance of each channel that batch norm keeps for evaluation.
public final class RunningStatistics {
  /// (C).
  public let mean: Tensor
  /// (C), with n - 1 in the denominator.
  public let variance: Tensor

  /// Statistics with given values, updated in place.
  public init(mean: Tensor, variance: Tensor) {
    self.mean = mean
    self.variance = variance
  }

  /// Mean 0 and variance 1 for C channels.
  public convenience init(channels: Int, on device: Device) throws {
    self.init(
      mean: try Tensor(repeating: 0, shape: [channels], on: device),
      variance: try Tensor(repeating: 1, shape: [channels], on: device))
  }
}

/// Which statistics batch norm uses.
public enum BatchNormMode: Sendable {
  /// The batch's; the running ones move by `momentum` towards them.
  case training(momentum: Float)
  /// The running ones, which stay as they are.
  case evaluation
}

/// (x - mean) / sqrt(variance + epsilon) * scale + shift per channel, plus a residual, then the activation
/// (Ioffe and Szegedy, ICML 2015), in one pass, with PyTorch's conventions: the batch's variance has n in the
/// denominator, the running one n - 1.
///
/// - Parameters:
///   - x: (N, H, W, C) or (N, C).
///   - scale: (C).
///   - shift: (C).
///   - residual: laid out as x, or nil.
public func batchNorm(
  _ x: Tensor, scale: Tensor, shift: Tensor, running: RunningStatistics, mode: BatchNormMode,
  epsilon: Float = 1e-5, residual: Tensor? = nil, activation: Activation = .identity
) throws -> Tensor {
  let isTraining: Bool
  let mean: Tensor
  let inverse: Tensor
  switch mode {
  case .training(let momentum):
    let statistics = try BatchNorm.Statistics(epsilon: epsilon, momentum: momentum)(
      all: [x, running.mean, running.variance])
    (isTraining, mean, inverse) = (true, statistics[0], statistics[1])
    running.mean.buffer.markChanged()
    running.variance.buffer.markChanged()
  case .evaluation:
    (isTraining, mean) = (false, running.mean)
    inverse = try BatchNorm.Inverse(epsilon: epsilon)(running.variance)
  }
  let input = x.detached()
  let scaleValue = scale.detached()
  let y = try BatchNorm(relu: activation == .relu)(
    all: [x, mean, inverse, scale, shift] + (residual.map { [$0] } ?? []))[0]
  var sums: [Tensor]?
  func gradientSums(_ dy: Tensor) throws -> [Tensor] {
    if let sums { return sums }
    let made = try BatchNorm.GradientSums()(all: [input, dy, mean, inverse])
    sums = made
    return made
  }
  var inputs: [(Tensor, TapeNode.Pullback)] = [
    (
      x,
      { dy in
        guard isTraining else {
          return try BatchNorm.InputGradient.scaling(dy, inverse, scaleValue)
        }
        let sums = try gradientSums(dy)
        return try BatchNorm.InputGradient()(input, dy, mean, inverse, scaleValue, sums[0], sums[1])
      }
    ),
    (scale, { dy in try gradientSums(dy)[1] }),
    (shift, { dy in try gradientSums(dy)[0] }),
  ]
  if let residual { inputs.append((residual, { $0 })) }
  return y.recorded(from: inputs).recorded(throughFused: activation)
}

extension Tensor {
  /// x seen as (rows, C).
  var rowsOfChannels: (rows: Int, channels: Int) {
    (shape.count / max(1, shape[-1]), shape[-1])
  }

  /// The product of two vectors of channels; CPU only.
  func times(_ other: Tensor) throws -> Tensor {
    let result = try Tensor(uninitialized: shape, on: device)
    for j in 0..<shape.count { result.pointer[j] = pointer[j] * other.pointer[j] }
    return result
  }
}

/// Normalises with given statistics. Inputs: x, mean, 1 / deviation, scale, shift and perhaps a residual.
struct BatchNorm: Operation {
  let relu: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let channels = inputs[0].shape[-1]
    try require(inputs[1..<5].allSatisfy { $0.shape.count == channels }, "the channels differ", inputs)
    try require(inputs.count < 6 || inputs[5].shape == inputs[0].shape, "the residual does not fit", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, channels) = inputs[0].rowsOfChannels
    let (x, mean, y) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
    let (factor, shift) = (try inputs[2].times(inputs[3]), inputs[4].pointer)
    let residual = inputs.count > 5 ? UnsafePointer(inputs[5].pointer) : nil
    cpu.parallelRanges(rows, grain: CPU.elementwiseGrain / channels + 1) { range in
      let start = range.lowerBound * channels
      cpu.kernels.normalize(
        x + start, range.count, channels, mean, factor.pointer, shift, residual.map { $0 + start }, relu,
        y + start)
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, channels) = inputs[0].rowsOfChannels
    try openCL.launchRows(
      "batch_norm_apply", rows, channels,
      [.int(relu ? 1 : 0)] + inputs[..<5].map { .buffer($0.buffer) }
        + [.optional(inputs.count > 5 ? inputs[5].buffer : nil), .buffer(outputs[0].buffer)])
  }
}
