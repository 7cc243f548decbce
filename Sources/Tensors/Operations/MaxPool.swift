import Devices

/// The largest value of each window, without padding; a window that does not fit is left out.
///
/// - Parameters:
///   - x: (N, H, W, C).
///   - size: rows and columns of a window, at most 15.
///   - stride: distance of windows; by default `size`.
/// - Returns: (N, (H - size) / stride + 1, (W - size) / stride + 1, C). On ties the gradient goes to the first
///   pixel in row-major order, as in PyTorch.
public func maxPool2d(_ x: Tensor, size: Int, stride: Int? = nil) throws -> Tensor {
  let window = PoolWindow(rows: size, columns: size, stride: stride ?? size, input: x.shape)
  let results = try MaxPool(window: window)(all: [x])
  let (y, winner) = (results[0], results[1])
  guard x.isRectified else {
    return y.recorded(from: [(x, { dy in try MaxPool.Gradient(window: window)(dy, winner) })])
  }
  // The winner of a window is positive where y is: the ReLU's gradient is applied to the few values of dy.
  var rectified = y
  rectified.isRectified = true
  return rectified.recorded(from: [
    (x, { dy in try MaxPool.Gradient(window: window)(dy.masked(by: y), winner).marked(maskedBy: x) })
  ])
}

/// Windows over NHWC images.
struct PoolWindow {
  let rows: Int
  let columns: Int
  let stride: Int
  let input: Shape

  var isValid: Bool {
    input.rank == 4 && rows >= 1 && columns >= 1 && stride >= 1 && input[1] >= rows && input[2] >= columns
  }
  var output: Shape {
    [input[0], (input[1] - rows) / stride + 1, (input[2] - columns) / stride + 1, input[3]]
  }

  /// Arguments that the pooling kernels share, for a result of `count` values.
  func arguments(_ count: Int) -> [KernelArgument] {
    [count, input[1], input[2], input[3], output[1], output[2]].map { .int($0) }
  }
}

/// y and the number, within its window, of the pixel that won.
struct MaxPool: Operation {
  let window: PoolWindow

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(window.isValid && window.rows <= 15, "the window does not fit", inputs)
    return [OutputSpec(window.output), OutputSpec(window.output, .uint8)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y, winner) = (inputs[0].pointer, outputs[0].pointer, outputs[1].bytePointer)
    let (out, width, channels) = (window.output, window.input[2], window.input[3])
    cpu.parallel(out[0] * out[1]) { line in
      let row = line / out[1] * window.input[1] + line % out[1] * window.stride
      let target = line * out[2] * channels
      cpu.kernels.maxPool(
        x + row * width * channels, y + target, winner + target, out[2], channels, window.rows,
        window.columns,
        width * channels, window.stride * channels)
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try openCL.launchPool("max_pool", window, over: window.output, [inputs[0], outputs[0], outputs[1]])
  }

  /// dx from dy and the winners.
  struct Gradient: Operation {
    let window: PoolWindow

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[0].shape == window.output, "dy does not fit", inputs)
      return [OutputSpec(window.input)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (dy, winner, dx) = (inputs[0].pointer, inputs[1].bytePointer, outputs[0].pointer)
      let (out, width, channels) = (window.output, window.input[2], window.input[3])
      let image = window.input[1] * width * channels
      let isSpread = window.stride >= window.rows && window.stride >= window.columns
      let isCovered =
        isSpread && window.stride == window.rows && window.stride == window.columns
        && window.input[1] % window.rows == 0 && width % window.columns == 0
      cpu.parallel(out[0]) { n in
        if !isCovered { (dx + n * image).update(repeating: 0, count: image) }
        for row in 0..<out[1] {
          let corner = dx + n * image + row * window.stride * width * channels
          let source = (n * out[1] + row) * out[2] * channels
          if isSpread {
            cpu.kernels.maxPoolGradient(
              dy + source, winner + source, corner, out[2], channels, window.rows, window.columns,
              width * channels, window.stride * channels)
          } else {
            addOverlapping(dy + source, winner + source, to: corner)
          }
        }
      }
    }

    /// One row of windows that share pixels.
    private func addOverlapping(
      _ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>, to corner: UnsafeMutablePointer<Float>
    ) {
      let (width, channels) = (window.input[2], window.input[3])
      for column in 0..<window.output[2] {
        for c in 0..<channels {
          let source = column * channels + c
          let at = Int(winner[source])
          let pixel = at / window.columns * width + column * window.stride + at % window.columns
          corner[pixel * channels + c] += dy[source]
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.launchPool(
        "max_pool_gradient", window, over: window.input, [inputs[0], inputs[1], outputs[0]])
    }
  }
}

extension OpenCL {
  /// A max pool or its gradient, in the kernel's shape, over the results of `shape`.
  fileprivate func launchPool(_ name: String, _ window: PoolWindow, over shape: Shape, _ buffers: [Tensor])
    throws
  {
    let rest: [KernelArgument] =
      [.int(window.rows), .int(window.stride)] + buffers.map { .buffer($0.buffer) }
    switch kernelShape {
    case .gpu: try launch(name, window.arguments(shape.count) + rest, elements: shape.count)
    case .cpu:
      try launchTasks(
        name + "_cpu", window.arguments(shape.count).dropFirst() + rest, tasks: [shape[1], shape[0]])
    }
  }
}
