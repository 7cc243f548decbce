import Devices

extension BatchNorm {
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
      let groups = batchNormGroups(rows)
      let partial = try outputs.map { _ in try Tensor(uninitialized: [groups, channels], on: .openCL(openCL))
      }
      try openCL.launchGroups(
        "batch_norm_gradient_groups", rows, channels, groups, inputs + partial, sums: 2)
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
      try openCL.launchRows(
        "batch_norm_input_gradient", rows, channels,
        [.float(1 / Float(rows))] + (inputs + outputs).map { .buffer($0.buffer) })
    }
  }
}
