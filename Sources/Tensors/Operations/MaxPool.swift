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
  let winner = results[1]
  return results[0].recorded(from: [(x, { dy in try MaxPool.Gradient(window: window)(dy, winner) })])
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
      let rowStart = (line / out[1] * window.input[1] + line % out[1] * window.stride) * width * channels
      for column in 0..<out[2] {
        let corner = x + rowStart + column * window.stride * channels
        let target = (line * out[2] + column) * channels
        var c = 0
        while c + 8 <= channels {
          pool(SIMD8<Float>.self, corner + c, y + target + c, winner + target + c)
          c += 8
        }
        while c < channels {
          pool(corner + c, y + target + c, winner + target + c)
          c += 1
        }
      }
    }
  }

  /// Eight channels of one window.
  @inline(__always)
  private func pool(
    _: SIMD8<Float>.Type, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ winner: UnsafeMutablePointer<UInt8>
  ) {
    var best = SIMD8<Float>(at: x)
    var at = SIMD8<Int32>.zero
    for p in 0..<window.rows {
      for q in 0..<window.columns where p + q > 0 {
        let v = SIMD8<Float>(at: x + (p * window.input[2] + q) * window.input[3])
        let larger = (v .> best) .| (v .!= v)
        best.replace(with: v, where: larger)
        at.replace(with: Int32(p * window.columns + q), where: larger)
      }
    }
    best.store(to: y)
    UnsafeMutableRawPointer(winner).storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: at), as: SIMD8<UInt8>.self)
  }

  /// One channel of one window.
  @inline(__always)
  private func pool(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ winner: UnsafeMutablePointer<UInt8>
  ) {
    var best = x[0]
    var at = 0
    for p in 0..<window.rows {
      for q in 0..<window.columns where p + q > 0 {
        let v = x[(p * window.input[2] + q) * window.input[3]]
        if v > best || v.isNaN { (best, at) = (v, p * window.columns + q) }
      }
    }
    y.pointee = best
    winner.pointee = UInt8(at)
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = window.output.count
    try openCL.launch(
      "max_pool",
      window.arguments(count) + [
        .int(window.rows), .int(window.stride), .buffer(inputs[0].buffer), .buffer(outputs[0].buffer),
        .buffer(outputs[1].buffer),
      ], elements: count)
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
      cpu.parallel(out[0]) { n in
        (dx + n * image).update(repeating: 0, count: image)
        for row in 0..<out[1] {
          for column in 0..<out[2] {
            let corner = dx + n * image + (row * window.stride * width + column * window.stride) * channels
            let source = ((n * out[1] + row) * out[2] + column) * channels
            if isSpread {
              spread(dy + source, winner + source, into: corner)
            } else {
              for c in 0..<channels {
                let at = Int(winner[source + c])
                corner[(at / window.columns * width + at % window.columns) * channels + c] += dy[source + c]
              }
            }
          }
        }
      }
    }

    /// One window that overlaps no other: each of its pixels is written once.
    @inline(__always)
    private func spread(
      _ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>, into corner: UnsafeMutablePointer<Float>
    ) {
      let (width, channels) = (window.input[2], window.input[3])
      for p in 0..<window.rows {
        for q in 0..<window.columns {
          let target = corner + (p * width + q) * channels
          let number = p * window.columns + q
          var c = 0
          while c + 8 <= channels {
            let at = UnsafeRawPointer(winner + c).loadUnaligned(as: SIMD8<UInt8>.self)
            let hit = SIMD8<Int32>(truncatingIfNeeded: at) .== Int32(number)
            SIMD8<Float>.zero.replacing(with: SIMD8(at: dy + c), where: hit).store(to: target + c)
            c += 8
          }
          while c < channels {
            target[c] = winner[c] == number ? dy[c] : 0
            c += 1
          }
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let count = window.input.count
      try openCL.launch(
        "max_pool_gradient",
        window.arguments(count) + [
          .int(window.rows), .int(window.stride), .buffer(inputs[0].buffer), .buffer(inputs[1].buffer),
          .buffer(outputs[0].buffer),
        ], elements: count)
    }
  }
}
