import Devices
import Tensors
import TestSupport
import Testing

/// Images (N, H, W, C), window and stride.
struct PoolCase: CustomTestStringConvertible {
  let shape: Shape
  let size, stride: Int
  var testDescription: String { "\(shape) window \(size) stride \(stride)" }

  static let all: [PoolCase] = {
    let small: [PoolCase] = [
      .init(shape: [1, 1, 1, 1], size: 1, stride: 1), .init(shape: [2, 4, 4, 3], size: 2, stride: 2),
      .init(shape: [1, 5, 7, 2], size: 2, stride: 2), .init(shape: [1, 7, 9, 5], size: 3, stride: 1),
      .init(shape: [2, 8, 6, 8], size: 3, stride: 2), .init(shape: [1, 6, 6, 17], size: 2, stride: 3),
      .init(shape: [1, 5, 5, 9], size: 5, stride: 1),
    ]
    let large: [PoolCase] = [.init(shape: [9, 24, 24, 32], size: 2, stride: 2)]
    return isUnderOclgrind ? small : small + large
  }()

  var outputShape: Shape {
    [shape[0], (shape[1] - size) / stride + 1, (shape[2] - size) / stride + 1, shape[3]]
  }

  /// For each output the indices of its window's inputs, in row-major order.
  func windows() -> [[Int]] {
    var result: [[Int]] = []
    let out = outputShape
    for n in 0..<out[0] {
      for y in 0..<out[1] {
        for x in 0..<out[2] {
          for c in 0..<out[3] {
            result.append(
              (0..<size * size).map { p in
                ((n * shape[1] + y * stride + p / size) * shape[2] + x * stride + p % size) * shape[3] + c
              })
          }
        }
      }
    }
    return result
  }
}

@Suite struct PoolingTests {
  @Test(arguments: devicesUnderTest, PoolCase.all)
  func maxPool(device: Device, c: PoolCase) throws {
    var random = Seeded(20)
    // Few different values, so that ties occur.
    let values = random.floats(c.shape.count).map { ($0 * 4).rounded() / 4 }
    let dy = random.floats(c.outputShape.count)
    var dx = Reference(count: values.count)
    let y = c.windows().enumerated().map { index, window in
      let winner = window.dropFirst().reduce(window[0]) { values[$1] > values[$0] ? $1 : $0 }
      dx.add(Double(dy[index]), to: winner)
      return values[winner]
    }
    let x = try Tensor(values, shape: c.shape, on: device)
    let upstream = try Tensor(dy, shape: c.outputShape, on: device)
    #expect(try maxPool2d(x, size: c.size, stride: c.stride).floats() == y)
    let (_, gradient) = try valueWithGradient(at: x) {
      try sum(multiply(maxPool2d($0, size: c.size, stride: c.stride), upstream))
    }
    // At most size^2 windows share a pixel.
    expectClose(try gradient.floats(), dx, factor: Double(c.size * c.size))
  }

  @Test(arguments: devicesUnderTest, PoolCase.all)
  func averagePool(device: Device, c: PoolCase) throws {
    var random = Seeded(21)
    let (values, dy) = (random.floats(c.shape.count), random.floats(c.outputShape.count))
    var (y, dx) = (Reference(count: dy.count), Reference(count: values.count))
    let share = 1 / Double(c.size * c.size)
    for (index, window) in c.windows().enumerated() {
      for input in window {
        y.add(Double(values[input]) * share, to: index)
        dx.add(Double(dy[index]) * share, to: input)
      }
    }
    let x = try Tensor(values, shape: c.shape, on: device)
    let upstream = try Tensor(dy, shape: c.outputShape, on: device)
    let factor = Double(c.size * c.size) + 2
    expectClose(try averagePool2d(x, size: c.size, stride: c.stride).floats(), y, factor: factor)
    let (_, gradient) = try valueWithGradient(at: x) {
      try sum(multiply(averagePool2d($0, size: c.size, stride: c.stride), upstream))
    }
    expectClose(try gradient.floats(), dx, factor: factor)
  }

  @Test(arguments: devicesUnderTest)
  func globalAverageIsTheMeanOfAllPixels(device: Device) throws {
    var random = Seeded(22)
    let values = random.floats(2 * 3 * 5 * 7)
    var y = Reference(count: 2 * 7)
    for (i, v) in values.enumerated() { y.add(Double(v) / 15, to: i / 105 * 7 + i % 7) }
    let x = try Tensor(values, shape: [2, 3, 5, 7], on: device)
    let result = try globalAveragePool(x)
    #expect(result.shape == [2, 7])
    expectClose(try result.floats(), y, factor: 16)
    let (_, gradient) = try valueWithGradient(at: x) { try sum(globalAveragePool($0)) }
    expectClose(try gradient.floats(), Reference([Double](repeating: 1.0 / 15, count: 210)), factor: 2)
  }

  @Test(arguments: devicesUnderTest)
  func windowsLargerThanTheImageThrow(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [1, 3, 3, 1], on: device)
    #expect(throws: (any Error).self) { try maxPool2d(x, size: 4) }
    #expect(throws: (any Error).self) { try averagePool2d(x, size: 4) }
  }
}
