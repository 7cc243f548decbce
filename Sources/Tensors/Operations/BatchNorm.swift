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

/// (x - mean) / sqrt(variance + epsilon) * scale + shift per channel, then the activation
/// (Ioffe and Szegedy, ICML 2015), with PyTorch's conventions: the batch's variance has n in the denominator,
/// the running one n - 1.
///
/// - Parameters:
///   - x: (N, H, W, C) or (N, C).
///   - scale: (C).
///   - shift: (C).
public func batchNorm(
  _ x: Tensor, scale: Tensor, shift: Tensor, running: RunningStatistics, mode: BatchNormMode,
  epsilon: Float = 1e-5, activation: Activation = .identity
) throws -> Tensor {
  let isTraining: Bool
  let mean: Tensor
  let inverse: Tensor
  switch mode {
  case .training(let momentum):
    let statistics = try BatchNorm.Statistics(epsilon: epsilon, momentum: momentum)(
      all: [x, running.mean, running.variance])
    (isTraining, mean, inverse) = (true, statistics[0], statistics[1])
  case .evaluation:
    (isTraining, mean) = (false, running.mean)
    inverse = try BatchNorm.Inverse(epsilon: epsilon)(running.variance)
  }
  let input = x.detached()
  let scaleValue = scale.detached()
  let y = try BatchNorm(relu: activation == .relu)(x, mean, inverse, scale, shift)
  var sums: [Tensor]?
  func gradientSums(_ dy: Tensor) throws -> [Tensor] {
    if let sums { return sums }
    let made = try BatchNorm.GradientSums()(all: [input, dy, mean, inverse])
    sums = made
    return made
  }
  return y.recorded(from: [
    (
      x,
      { dy in
        let sums = try gradientSums(dy)
        return try BatchNorm.InputGradient(isTraining: isTraining)(
          input, dy, mean, inverse, scaleValue, sums[0], sums[1])
      }
    ),
    (scale, { dy in try gradientSums(dy)[1] }),
    (shift, { dy in try gradientSums(dy)[0] }),
  ]).recorded(throughFused: activation)
}

extension Tensor {
  /// x seen as (rows, C).
  fileprivate var rowsOfChannels: (rows: Int, channels: Int) {
    (shape.count / max(1, shape[-1]), shape[-1])
  }
}

/// Groups of rows whose sums are made apart: fixed, so that results do not depend on the threads.
private func groupCount(_ rows: Int) -> Int { max(1, min(64, rows / 64)) }

/// Normalises with given statistics. Inputs: x, mean, 1 / deviation, scale, shift.
struct BatchNorm: Operation {
  let relu: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let channels = inputs[0].shape[-1]
    try require(inputs.dropFirst().allSatisfy { $0.shape.count == channels }, "the channels differ", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, channels) = inputs[0].rowsOfChannels
    let (x, mean, inverse) = (inputs[0].pointer, inputs[1].pointer, inputs[2].pointer)
    let (scale, shift, y) = (inputs[3].pointer, inputs[4].pointer, outputs[0].pointer)
    cpu.parallelRanges(rows, grain: CPU.elementwiseGrain / channels + 1) { range in
      for row in range {
        for j in 0..<channels {
          let v = (x[row * channels + j] - mean[j]) * inverse[j] * scale[j] + shift[j]
          y[row * channels + j] = relu && v < 0 ? 0 : v
        }
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[0].shape.count
    try openCL.launch(
      "batch_norm_apply",
      [.int(count), .int(inputs[0].shape[-1]), .int(relu ? 1 : 0)]
        + (inputs + outputs).map { .buffer($0.buffer) }, elements: count)
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
      // Channels in blocks: each task reads its columns of all rows twice, in Double.
      let block = 16
      cpu.parallel((channels + block - 1) / block) { task in
        for j in task * block..<min(channels, (task + 1) * block) {
          var sum = 0.0
          for row in 0..<rows { sum += Double(x[row * channels + j]) }
          let mean = sum / Double(rows)
          var square = 0.0
          for row in 0..<rows {
            let d = Double(x[row * channels + j]) - mean
            square += d * d
          }
          means[j] = Float(mean)
          inverses[j] = Float(1 / (square / Double(rows) + Double(epsilon)).squareRoot())
          runningMean[j] = (1 - momentum) * runningMean[j] + momentum * Float(mean)
          let unbiased = Float(square / Double(max(1, rows - 1)))
          runningVariance[j] = (1 - momentum) * runningVariance[j] + momentum * unbiased
        }
      }
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
      let block = 16
      cpu.parallel((channels + block - 1) / block) { task in
        for j in task * block..<min(channels, (task + 1) * block) {
          var (shift, scale) = (0.0, 0.0)
          for row in 0..<rows {
            let e = row * channels + j
            shift += Double(dy[e])
            scale += Double(dy[e]) * Double((x[e] - mean[j]) * inverse[j])
          }
          outputs[0].pointer[j] = Float(shift)
          outputs[1].pointer[j] = Float(scale)
        }
      }
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

  /// dx. In training the statistics depend on x. Inputs: x, dy, mean, 1 / deviation, scale and both sums.
  struct InputGradient: Operation {
    let isTraining: Bool

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(inputs[0].shape)] }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let (x, dy, mean, inverse) = (
        inputs[0].pointer, inputs[1].pointer, inputs[2].pointer, inputs[3].pointer
      )
      let (scale, dshift, dscale) = (inputs[4].pointer, inputs[5].pointer, inputs[6].pointer)
      let dx = outputs[0].pointer
      let inverseRows = 1 / Float(rows)
      cpu.parallelRanges(rows, grain: CPU.elementwiseGrain / channels + 1) { range in
        for row in range {
          for j in 0..<channels {
            let e = row * channels + j
            var v = dy[e]
            if isTraining { v -= inverseRows * (dshift[j] + (x[e] - mean[j]) * inverse[j] * dscale[j]) }
            dx[e] = scale[j] * inverse[j] * v
          }
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (rows, channels) = inputs[0].rowsOfChannels
      let count = inputs[0].shape.count
      try openCL.launch(
        "batch_norm_input_gradient",
        [.int(count), .int(channels), .int(isTraining ? 1 : 0), .float(1 / Float(rows))]
          + (inputs + outputs).map { .buffer($0.buffer) }, elements: count)
    }
  }
}
