import Devices
import Tensors
import TestSupport
import Testing

private let shapes: [Shape] = {
  let small: [Shape] = [[130, 33], [2, 1], [3, 2], [5, 7], [2, 3, 3, 4], [9, 17]]
  return isUnderOclgrind ? small : small + [[13, 9, 11, 5], [129, 33], [8, 16, 16, 16]]
}()

@Suite struct BatchNormTests {
  private let epsilon = 1e-5

  /// Everything that batch norm gives for one channel, in Double.
  private struct Channel {
    var mean = 0.0
    var variance = 0.0
    var unbiased = 0.0
  }

  private func statistics(_ x: [Float], _ channels: Int) -> [Channel] {
    let rows = x.count / channels
    return (0..<channels).map { j in
      let values = (0..<rows).map { Double(x[$0 * channels + j]) }
      let mean = values.reduce(0, +) / Double(rows)
      let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return Channel(mean: mean, variance: square / Double(rows), unbiased: square / Double(max(1, rows - 1)))
    }
  }

  @Test(arguments: devicesUnderTest, shapes)
  func trainingUsesTheBatch(device: Device, shape: Shape) throws {
    try check(device, shape, isTraining: true)
  }

  @Test(arguments: devicesUnderTest, shapes)
  func evaluationUsesTheRunningStatistics(device: Device, shape: Shape) throws {
    try check(device, shape, isTraining: false)
  }

  @Test(arguments: devicesUnderTest, shapes)
  func residualsAreAddedBeforeReLU(device: Device, shape: Shape) throws {
    var random = Seeded(31)
    let channels = shape[-1]
    let (x, r, dy) = (random.floats(shape.count), random.floats(shape.count), random.floats(shape.count))
    let (g, b) = (random.floats(channels), random.floats(channels))
    let running = try RunningStatistics(channels: channels, on: device)
    let place = Places(
      try [x, r].map { try Tensor($0, shape: shape, on: device) })
    let upstream = try Tensor(dy, shape: shape, on: device)
    var y: Tensor?
    let (_, gradients) = try valueWithGradients(at: place.all) {
      let result = try batchNorm(
        place.all[0].value, scale: Tensor(g, shape: [channels], on: device),
        shift: Tensor(b, shape: [channels], on: device), running: running, mode: .evaluation, epsilon: 0,
        residual: place.all[1].value, activation: .relu)
      y = result
      return try sum(multiply(result, upstream))
    }
    // Mean 0 and variance 1: y = relu(x g + b + r).
    var expected = Reference(count: x.count)
    var (dx, dr) = (expected, expected)
    for i in x.indices {
      let j = i % channels
      let v = Double(x[i]) * Double(g[j]) + Double(b[j]) + Double(r[i])
      expected.add(max(0, v), to: i)
      expected.magnitudes[i] = abs(Double(x[i]) * Double(g[j])) + abs(Double(b[j])) + abs(Double(r[i]))
      dx.add(v > 0 ? Double(dy[i]) * Double(g[j]) : 0, to: i)
      dr.add(v > 0 ? Double(dy[i]) : 0, to: i)
    }
    expectClose(try y!.floats(), expected, factor: 4, "y")
    expectClose(try gradients[0].floats(), dx, factor: 4, "x")
    expectClose(try gradients[1].floats(), dr, factor: 1, "residual")
  }

  private func check(_ device: Device, _ shape: Shape, isTraining: Bool) throws {
    var random = Seeded(30)
    let channels = shape[-1]
    let rows = shape.count / channels
    // A mean far from 0 shows cancellation.
    let x = random.floats(shape.count).map { $0 + 3 }
    let dy = random.floats(shape.count)
    let (g, b) = (random.floats(channels), random.floats(channels))
    let (m0, v0) = (random.floats(channels), random.floats(channels, in: 0.5...2))
    let running = RunningStatistics(
      mean: try Tensor(m0, shape: [channels], on: device),
      variance: try Tensor(v0, shape: [channels], on: device))
    let batch = statistics(x, channels)
    let used = isTraining ? batch : zip(m0, v0).map { Channel(mean: Double($0), variance: Double($1)) }
    let mode = isTraining ? BatchNormMode.training(momentum: 0.1) : .evaluation
    let place = Places(
      try [x, g, b].enumerated().map { try Tensor($1, shape: $0 == 0 ? shape : [channels], on: device) })
    var y: Tensor?
    let upstream = try Tensor(dy, shape: shape, on: device)
    let (_, gradients) = try valueWithGradients(at: place.all) {
      let result = try batchNorm(
        place.all[0].value, scale: place.all[1].value, shift: place.all[2].value, running: running, mode: mode
      )
      y = result
      return try sum(multiply(result, upstream))
    }
    let inverse = used.map { 1 / ($0.variance + epsilon).squareRoot() }
    var expected = Reference(count: x.count)
    var (dscale, dshift) = (Reference(count: channels), Reference(count: channels))
    let normal = x.indices.map { (Double(x[$0]) - used[$0 % channels].mean) * inverse[$0 % channels] }
    for i in x.indices {
      let j = i % channels
      expected.values[i] = normal[i] * Double(g[j]) + Double(b[j])
      expected.magnitudes[i] =
        (abs(Double(x[i])) + abs(used[j].mean)) * inverse[j] * abs(Double(g[j])) + abs(Double(b[j]))
      dscale.add(Double(dy[i]) * normal[i], to: j)
      dscale.magnitudes[j] += abs(Double(dy[i])) * (abs(Double(x[i])) + abs(used[j].mean)) * inverse[j]
      dshift.add(Double(dy[i]), to: j)
    }
    let factor = 4 * Double(rows).squareRoot() + 8
    expectClose(try y!.floats(), expected, factor: factor, "y")
    expectClose(try gradients[1].floats(), dscale, factor: factor, "scale")
    expectClose(try gradients[2].floats(), dshift, factor: factor, "shift")
    var dx = Reference(count: x.count)
    for i in x.indices {
      let j = i % channels
      let scale = Double(g[j]) * inverse[j]
      let correction = isTraining ? (dshift.values[j] + normal[i] * dscale.values[j]) / Double(rows) : 0
      dx.values[i] = scale * (Double(dy[i]) - correction)
      let sums =
        isTraining ? (dshift.magnitudes[j] + (1 + abs(normal[i])) * dscale.magnitudes[j]) / Double(rows) : 0
      dx.magnitudes[i] = abs(scale) * (abs(Double(dy[i])) + sums)
    }
    expectClose(try gradients[0].floats(), dx, factor: factor, "x")
    let (mean, variance) = (try running.mean.floats(), try running.variance.floats())
    if isTraining {
      expectClose(
        mean, Reference((0..<channels).map { 0.9 * Double(m0[$0]) + 0.1 * batch[$0].mean }), factor: factor,
        absolute: 1e-6)
      expectClose(
        variance, Reference((0..<channels).map { 0.9 * Double(v0[$0]) + 0.1 * batch[$0].unbiased }),
        factor: factor,
        absolute: 1e-6)
    } else {
      #expect(mean == m0 && variance == v0)
    }
  }
}

/// Tensors whose gradients are asked for together.
final class Places {
  final class Place: Watchable {
    private let tensor: Tensor
    private var token: WatchToken?

    init(_ tensor: Tensor) { self.tensor = tensor }
    var value: Tensor {
      var value = tensor
      value.node = token?.node
      return value
    }
    func watch(_ token: WatchToken?) { self.token = token }
  }

  let all: [Place]

  init(_ tensors: [Tensor]) { all = tensors.map(Place.init) }
}
