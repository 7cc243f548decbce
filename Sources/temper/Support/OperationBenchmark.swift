import Devices
import Tensors

/// One operation with its inputs.
struct OperationBenchmark: Sendable {
  let name: String
  /// Additions and multiplications, where they matter.
  let flops: Int?
  /// Bytes that must be read and written, where they matter.
  let bytes: Int?
  /// Of a convolution: what it is, for ``ConvolutionError``.
  var convolution: (direction: Convolution.Direction, geometry: ConvolutionGeometry)?
  let prepare: @Sendable (Device) throws -> () throws -> Void

  /// Square matrix products of these extents, then convolutions and elementwise operations.
  static func all(products: [Int]) -> [OperationBenchmark] {
    products.map(matmul)
      + [
        (128, 64, 32, 64, 3, 1, 1), (128, 128, 16, 128, 3, 1, 1), (128, 256, 8, 256, 3, 1, 1),
        (128, 512, 4, 512, 3, 1, 1), (128, 3, 32, 64, 3, 1, 1), (128, 1, 28, 32, 3, 1, 0),
        (128, 32, 26, 32, 3, 1, 0), (128, 32, 12, 64, 3, 1, 0), (128, 64, 10, 64, 3, 1, 0),
        (128, 64, 32, 128, 3, 2, 1), (128, 64, 32, 128, 1, 2, 0), (128, 256, 8, 512, 1, 1, 0),
      ].flatMap(convolution)
      + elementwise
  }

  private static func random(_ shape: Shape, _ device: Device) throws -> Tensor {
    try Tensor((0..<shape.count).map { Float($0 % 2003) / 1001 - 1 }, shape: shape, on: device)
  }

  private static func matmul(_ n: Int) -> OperationBenchmark {
    OperationBenchmark(name: "matmul \(n)", flops: 2 * n * n * n, bytes: nil) { device in
      let (a, b) = (try random([n, n], device), try random([n, n], device))
      return { _ = try Tensors.matmul(a, b) }
    }
  }

  /// Forward, input gradient and weight gradient for (N, C, H, K, R, stride, padding).
  private static func convolution(
    _ s: (n: Int, c: Int, h: Int, k: Int, r: Int, stride: Int, padding: Int)
  ) -> [OperationBenchmark] {
    let g = try! ConvolutionGeometry(
      images: [s.n, s.h, s.h, s.c], weights: [s.r, s.r, s.c, s.k], stride: s.stride, padding: s.padding)
    return Convolution.Direction.allCases.map { direction in
      let name = "conv \(direction.rawValue) \(s.n)x\(s.c)x\(s.h) \(s.r)x\(s.r)x\(s.k) stride \(s.stride)"
      return OperationBenchmark(
        name: name, flops: g.operations, bytes: nil, convolution: (direction, g)
      ) { device in
        let x = try random(g.imageShape, device)
        let dy = try random(g.outputShape, device)
        let weights = try random(g.weightShape, device)
        weights.buffer.keepsDerivedForms = true
        return { _ = try Convolution.run(direction, g, x, weights, dy) }
      }
    }
  }

  private static let elementwise: [OperationBenchmark] = {
    let shape: Shape = [128, 32, 32, 64]
    func benchmark(
      _ name: String, passes: Int, _ body: @escaping @Sendable (Tensor, Tensor) throws -> Void
    ) -> OperationBenchmark {
      OperationBenchmark(name: name, flops: nil, bytes: passes * shape.count * 4) { device in
        let (x, y) = (try random(shape, device), try random(shape, device))
        return { try body(x, y) }
      }
    }
    return [
      benchmark("add", passes: 3) { _ = try add($0, $1) },
      benchmark("relu", passes: 2) { x, _ in _ = try relu(x) },
      benchmark("max pool 2x2", passes: 1) { x, _ in _ = try maxPool2d(x, size: 2) },
      benchmark("PGD step Linf", passes: 4) {
        _ = try pgdStep($0, original: $1, gradient: $0, norm: .linf, stepSize: 0.01, epsilon: 0.1)
      },
      OperationBenchmark(name: "batch norm, training", flops: nil, bytes: 3 * shape.count * 4) { device in
        let x = try random(shape, device)
        let (scale, shift) = (try random([64], device), try random([64], device))
        let running = try RunningStatistics(channels: 64, on: device)
        return {
          _ = try batchNorm(
            x, scale: scale, shift: shift, running: running, mode: .training(momentum: 0.1), activation: .relu
          )
        }
      },
    ]
  }()
}
