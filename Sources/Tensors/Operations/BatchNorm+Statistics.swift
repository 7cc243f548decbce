import Devices

/// Groups of rows whose sums are made apart: fixed, so that results do not depend on the threads.
func batchNormGroups(_ rows: Int) -> Int { max(1, min(64, rows / 64)) }

extension CPU {
  /// Runs `body` for fixed groups of rows, each with two vectors of `channels` values of its own.
  /// - Returns: the vectors of all groups, (groups, 2, channels), and each group's rows.
  func overGroups(
    _ rows: Int, _ channels: Int,
    _ body: (Range<Int>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) -> (values: Buffer, ranges: [Range<Int>]) {
    let groups = batchNormGroups(rows)
    let ranges = (0..<groups).map { $0 * rows / groups..<($0 + 1) * rows / groups }
    let buffer = makeBuffer(byteCount: groups * 2 * channels * 4)
    let values = buffer.address.assumingMemoryBound(to: Float.self)
    parallel(groups) { group in
      body(ranges[group], values + 2 * group * channels, values + (2 * group + 1) * channels)
    }
    return (buffer, ranges)
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
      let groups = batchNormGroups(rows)
      let means = try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      let squares = try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      let extents: [KernelArgument] = [.int(rows), .int(channels), .int(groups)]
      try openCL.launchGroups(
        "batch_norm_groups", rows, channels, groups, [inputs[0], means, squares], sums: 2)
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
}
