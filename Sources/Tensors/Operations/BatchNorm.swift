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
  fileprivate var rowsOfChannels: (rows: Int, channels: Int) {
    (shape.count / max(1, shape[-1]), shape[-1])
  }

  /// The product of two vectors of channels; CPU only.
  fileprivate func times(_ other: Tensor) throws -> Tensor {
    let result = try Tensor(uninitialized: shape, on: device)
    for j in 0..<shape.count { result.pointer[j] = pointer[j] * other.pointer[j] }
    return result
  }
}

/// Groups of rows whose sums are made apart: fixed, so that results do not depend on the threads.
private func groupCount(_ rows: Int) -> Int { max(1, min(64, rows / 64)) }

extension CPU {
  /// Runs `body` for fixed groups of rows, each with two vectors of `channels` values of its own.
  /// - Returns: the vectors of all groups, (groups, 2, channels), and each group's rows.
  fileprivate func overGroups(
    _ rows: Int, _ channels: Int,
    _ body: (Range<Int>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) -> (values: Buffer, ranges: [Range<Int>]) {
    let groups = groupCount(rows)
    let ranges = (0..<groups).map { $0 * rows / groups..<($0 + 1) * rows / groups }
    let buffer = makeBuffer(byteCount: groups * 2 * channels * 4)
    let values = buffer.address.assumingMemoryBound(to: Float.self)
    parallel(groups) { group in
      body(ranges[group], values + 2 * group * channels, values + (2 * group + 1) * channels)
    }
    return (buffer, ranges)
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
    let count = inputs[0].shape.count
    try openCL.launch(
      "batch_norm_apply",
      [.int(count), .int(inputs[0].shape[-1]), .int(relu ? 1 : 0)]
        + inputs[..<5].map { .buffer($0.buffer) }
        + [.optional(inputs.count > 5 ? inputs[5].buffer : nil), .buffer(outputs[0].buffer)],
      elements: count)
  }
}

extension BatchNorm {
  /// The batch's mean and 1 / sqrt(variance + epsilon). Inputs: x and both running statistics, which it moves.
  struct Statistics: Operation {
    let epsilon: Float
    let momentum: Float

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      let channels: Shape = [inputs[0].shape[-1]]
      return [OutputSpec(channels), OutputSpec(channels)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let x = inputs[0].pointer
      let (runningMean, runningVariance) = (inputs[1].pointer, inputs[2].pointer)
      let (means, inverses) = (outputs[0].pointer, outputs[1].pointer)
      let (partial, ranges) = cpu.overGroups(rows, channels) { range, mean, square in
        cpu.kernels.channelStatistics(x + range.lowerBound * channels, range.count, channels, mean, square)
      }
      let values = partial.address.assumingMemoryBound(to: Float.self)
      for j in 0..<channels {
        // Groups are combined in order (Chan et al. 1979), in Double.
        var (count, mean, square) = (0.0, 0.0, 0.0)
        for (group, range) in ranges.enumerated() {
          let (size, total) = (Double(range.count), count + Double(range.count))
          let d = Double(values[2 * group * channels + j]) - mean
          mean += d * size / total
          square += Double(values[(2 * group + 1) * channels + j]) + d * d * count * size / total
          count = total
        }
        means[j] = Float(mean)
        inverses[j] = Float(1 / (square / Double(rows) + Double(epsilon)).squareRoot())
        runningMean[j] = (1 - momentum) * runningMean[j] + momentum * Float(mean)
        let unbiased = Float(square / Double(max(1, rows - 1)))
        runningVariance[j] = (1 - momentum) * runningVariance[j] + momentum * unbiased
      }
      withExtendedLifetime(partial) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let groups = groupCount(rows)
      let means = try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      let squares = try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      let extents: [KernelArgument] = [.int(rows), .int(channels), .int(groups)]
      try openCL.launch(
        "batch_norm_groups", extents + [inputs[0], means, squares].map { .buffer($0.buffer) },
        global: [channels, groups], local: [16, 1])
      try openCL.launch(
        "batch_norm_statistics",
        extents + [.float(epsilon), .float(momentum)]
          + [means, squares, outputs[0], outputs[1], inputs[1], inputs[2]].map { .buffer($0.buffer) },
        elements: channels)
    }
  }

  /// 1 / sqrt(variance + epsilon).
  struct Inverse: Operation {
    let epsilon: Float

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      for j in 0..<inputs[0].shape.count {
        outputs[0].pointer[j] = 1 / (inputs[0].pointer[j] + epsilon).squareRoot()
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let count = inputs[0].shape.count
      try openCL.launch(
        "batch_norm_inverse",
        [.int(count), .float(epsilon), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer)], elements: count
      )
    }
  }

  /// Sums over the rows of dy and of dy times the normalised x: the gradients of shift and scale.
  struct GradientSums: Operation {
    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      let channels: Shape = [inputs[0].shape[-1]]
      return [OutputSpec(channels), OutputSpec(channels)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let (x, dy) = (inputs[0].pointer, inputs[1].pointer)
      let (mean, inverse) = (inputs[2].pointer, inputs[3].pointer)
      let (partial, ranges) = cpu.overGroups(rows, channels) { range, sum, product in
        let start = range.lowerBound * channels
        cpu.kernels.channelGradientSums(
          x + start, dy + start, range.count, channels, mean, inverse, sum, product)
      }
      let values = partial.address.assumingMemoryBound(to: Float.self)
      for j in 0..<channels {
        var (shift, scale) = (0.0, 0.0)
        for group in ranges.indices {
          shift += Double(values[2 * group * channels + j])
          scale += Double(values[(2 * group + 1) * channels + j])
        }
        outputs[0].pointer[j] = Float(shift)
        outputs[1].pointer[j] = Float(scale)
      }
      withExtendedLifetime(partial) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let groups = groupCount(rows)
      let partial = try outputs.map { _ in try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      }
      try openCL.launch(
        "batch_norm_gradient_groups",
        [.int(rows), .int(channels), .int(groups)] + (inputs + partial).map { .buffer($0.buffer) },
        global: [channels, groups], local: [16, 1])
      for (part, output) in zip(partial, outputs) {
        try openCL.launch(
          "sum_partials", [.int(channels), .int(groups), .buffer(part.buffer), .buffer(output.buffer)],
          elements: channels)
      }
    }
  }

  /// dx where the statistics depend on x. Inputs: x, dy, mean, 1 / deviation, scale and both sums.
  struct InputGradient: Operation {
    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

    /// dx where they do not: dy * scale / deviation, as a normalisation of dy.
    static func scaling(_ dy: Tensor, _ inverse: Tensor, _ scale: Tensor) throws -> Tensor {
      let zero = try Tensor(repeating: 0, shape: inverse.shape, on: dy.device)
      return try BatchNorm(relu: false)(dy, zero, inverse, scale, zero)
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let (x, dy, mean, inverse) = (
        inputs[0].pointer, inputs[1].pointer, inputs[2].pointer, inputs[3].pointer
      )
      let (dshift, dscale, dx) = (inputs[5].pointer, inputs[6].pointer, outputs[0].pointer)
      let a = try inputs[3].times(inputs[4])
      let constants = try Tensor(uninitialized: [2, channels], on: .cpu(cpu))
      let (b, c) = (constants.pointer, constants.pointer + channels)
      for j in 0..<channels {
        let share = a.pointer[j] / Float(rows)
        (b[j], c[j]) = (share * dshift[j], share * inverse[j] * dscale[j])
      }
      cpu.parallelRanges(rows, grain: CPU.elementwiseGrain / channels + 1) { range in
        let start = range.lowerBound * channels
        cpu.kernels.normalizeGradient(
          x + start, dy + start, range.count, channels, mean, a.pointer, b, c, dx + start)
      }
      withExtendedLifetime(constants) {}
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let count = inputs[0].shape.count
      try openCL.launch(
        "batch_norm_input_gradient",
        [.int(count), .int(channels), .float(1 / Float(rows))]
          + (inputs + outputs).map { .buffer($0.buffer) }, elements: count)
    }
  }
}
