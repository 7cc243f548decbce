import Devices

/// The mean of each window, without padding; a window that does not fit is left out.
///
/// - Parameters:
///   - x: (N, H, W, C).
///   - size: rows and columns of a window.
///   - stride: distance of windows; by default `size`.
/// - Returns: (N, (H - size) / stride + 1, (W - size) / stride + 1, C).
public func averagePool2d(_ x: Tensor, size: Int, stride: Int? = nil) throws -> Tensor {
  try averagePool(x, PoolWindow(rows: size, columns: size, stride: stride ?? size, input: x.shape))
}

/// The mean over all pixels: (N, H, W, C) to (N, C).
public func globalAveragePool(_ x: Tensor) throws -> Tensor {
  let window = PoolWindow(rows: x.shape[1], columns: x.shape[2], stride: 1, input: x.shape)
  return try averagePool(x, window).reshaped([x.shape[0], x.shape[3]])
}

private func averagePool(_ x: Tensor, _ window: PoolWindow) throws -> Tensor {
  try AveragePool(window: window)(x)
    .recorded(from: [(x, { dy in try AveragePool.Gradient(window: window)(dy) })])
}

/// Means of windows.
struct AveragePool: Operation {
  let window: PoolWindow

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(window.isValid, "the window does not fit", inputs)
    return [OutputSpec(window.output)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (x, y) = (inputs[0].pointer, outputs[0].pointer)
    let (out, width, channels) = (window.output, window.input[2], window.input[3])
    let count = Float(window.rows * window.columns)
    cpu.parallel(out[0] * out[1]) { line in
      for column in 0..<out[2] {
        let target = y + (line * out[2] + column) * channels
        target.update(repeating: 0, count: channels)
        for p in 0..<window.rows {
          let row = line / out[1] * window.input[1] + line % out[1] * window.stride + p
          for q in 0..<window.columns {
            let source = x + (row * width + column * window.stride + q) * channels
            for c in 0..<channels { target[c] += source[c] }
          }
        }
        for c in 0..<channels { target[c] /= count }
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = window.output.count
    try openCL.launch(
      "average_pool",
      window.arguments(count) + [
        .int(window.rows), .int(window.columns), .int(window.stride), .buffer(inputs[0].buffer),
        .buffer(outputs[0].buffer),
      ], elements: count)
  }

  /// Every pixel of a window gets an equal share of dy.
  struct Gradient: Operation {
    let window: PoolWindow

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
      try require(inputs[0].shape.count == window.output.count, "dy does not fit", inputs)
      return [OutputSpec(window.input)]
    }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (dy, dx) = (inputs[0].pointer, outputs[0].pointer)
      let (out, width, channels) = (window.output, window.input[2], window.input[3])
      let image = window.input[1] * width * channels
      let count = Float(window.rows * window.columns)
      cpu.parallel(out[0]) { n in
        (dx + n * image).update(repeating: 0, count: image)
        for row in 0..<out[1] {
          for column in 0..<out[2] {
            let source = dy + ((n * out[1] + row) * out[2] + column) * channels
            for p in 0..<window.rows {
              for q in 0..<window.columns {
                let y = row * window.stride + p
                let target = dx + n * image + (y * width + column * window.stride + q) * channels
                for c in 0..<channels { target[c] += source[c] / count }
              }
            }
          }
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let count = window.input.count
      try openCL.launch(
        "average_pool_gradient",
        window.arguments(count) + [
          .int(window.rows), .int(window.columns), .int(window.stride), .buffer(inputs[0].buffer),
          .buffer(outputs[0].buffer),
        ], elements: count)
    }
  }
}
