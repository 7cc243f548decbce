import Devices
import Tensors
import TestSupport
import Testing

/// Counts around the CPU's vectors (8) and the kernels' work groups (64), and above a thread's share.
private let counts = isUnderOclgrind ? [1, 2, 7, 8, 9, 63, 65] : [1, 2, 7, 8, 9, 63, 64, 65, 1009, 70_001]

@Suite struct ElementwiseTests {
  /// Compares a function of two tensors and both its gradients with scalars in Double. One or two roundings.
  private func check(
    _ device: Device, _ count: Int, _ function: (Tensor, Tensor) throws -> Tensor,
    _ value: (Double, Double) -> Double, _ derivatives: (Double, Double) -> (Double, Double)
  ) throws {
    var random = Seeded(10)
    let (a, b, w) = (random.floats(count), random.floats(count), random.floats(count))
    let x = try Tensor(a, shape: [count], on: device)
    let y = try Tensor(b, shape: [count], on: device)
    let weights = try Tensor(w, shape: [count], on: device)
    let pairs = zip(a, b).map { (Double($0), Double($1)) }
    var expected = Reference(pairs.map { value($0.0, $0.1) })
    expected.magnitudes = pairs.map { max(abs($0.0) + abs($0.1), abs(value($0.0, $0.1))) }
    expectClose(try function(x, y).floats(), expected, factor: 1)
    let (_, dx) = try valueWithGradient(at: x) { try sum(multiply(function($0, y), weights)) }
    let (_, dy) = try valueWithGradient(at: y) { try sum(multiply(function(x, $0), weights)) }
    let shares = zip(pairs, w).map { pair, w in
      let d = derivatives(pair.0, pair.1)
      return (d.0 * Double(w), d.1 * Double(w))
    }
    expectClose(try dx.floats(), Reference(shares.map(\.0)), factor: 2)
    expectClose(try dy.floats(), Reference(shares.map(\.1)), factor: 2)
  }

  @Test(arguments: devicesUnderTest, counts)
  func pairs(device: Device, count: Int) throws {
    try check(device, count, { try add($0, $1) }, { $0 + $1 }, { _, _ in (1, 1) })
    try check(
      device, count, { try add($0, $1, activation: .relu) }, { max(0, $0 + $1) },
      { $0 + $1 > 0 ? (1, 1) : (0, 0) })
    try check(device, count, { try subtract($0, $1) }, { $0 - $1 }, { _, _ in (1, -1) })
    try check(device, count, { try multiply($0, $1) }, { $0 * $1 }, { ($1, $0) })
  }

  @Test(arguments: devicesUnderTest, counts)
  func singles(device: Device, count: Int) throws {
    try check(device, count, { x, _ in try relu(x) }, { a, _ in max(a, 0) }, { a, _ in (a > 0 ? 1 : 0, 0) })
    try check(device, count, { x, _ in try scale(x, by: 3) }, { a, _ in 3 * a }, { _, _ in (3, 0) })
    try check(
      device, count, { x, _ in try clamp(x, -0.5...0.25) }, { a, _ in min(max(a, -0.5), 0.25) },
      { a, _ in (a >= -0.5 && a <= 0.25 ? 1 : 0, 0) })
  }

  @Test(arguments: devicesUnderTest)
  func kinks(device: Device) throws {
    let x = try Tensor([-0.5, 0, 0.25, .nan] as [Float], shape: [4], on: device)
    let (_, byRelu) = try valueWithGradient(at: x) { try sum(relu($0)) }
    #expect(try byRelu.floats() == [0, 0, 1, 0])
    let (_, byClamp) = try valueWithGradient(at: x) { try sum(clamp($0, -0.5...0.25)) }
    #expect(try Array(byClamp.floats()[..<3]) == [1, 1, 1])
    #expect(try relu(x).floats()[3].isNaN, "NaN must stay visible")
  }

  @Test(arguments: devicesUnderTest, [(1, 1), (2, 3), (7, 8), (5, 33), (64, 17), (331, 32)])
  func biasIsAddedToTheLastDimension(device: Device, extents: (Int, Int)) throws {
    let (rows, columns) = isUnderOclgrind ? (extents.0 > 64 ? 130 : min(extents.0, 9), extents.1) : extents
    var random = Seeded(11)
    let (a, b, w) = (random.floats(rows * columns), random.floats(columns), random.floats(rows * columns))
    let x = try Tensor(a, shape: [rows, columns], on: device)
    let offset = try Tensor(b, shape: [columns], on: device)
    let weights = try Tensor(w, shape: [rows, columns], on: device)
    var y = Reference(count: rows * columns)
    var db = Reference(count: columns)
    for i in 0..<rows * columns {
      y.add(Double(a[i]), to: i)
      y.add(Double(b[i % columns]), to: i)
      y.values[i] = max(y.values[i], 0)
      if y.values[i] > 0 { db.add(Double(w[i]), to: i % columns) }
    }
    expectClose(try bias(x, offset, activation: .relu).floats(), y, factor: 1)
    let (_, gradient) = try valueWithGradient(at: offset) {
      try sum(multiply(bias(x, $0, activation: .relu), weights))
    }
    // Sums of `rows` floats in a fixed order.
    expectClose(try gradient.floats(), db, factor: 2 * Double(rows).squareRoot() + 4)
  }

  @Test(arguments: devicesUnderTest, [(1, 1), (3, 7), (65, 31), (2, 1000)])
  func sumsOfEachSample(device: Device, extents: (Int, Int)) throws {
    var random = Seeded(12)
    let values = random.floats(extents.0 * extents.1)
    let x = try Tensor(values, shape: [extents.0, extents.1], on: device)
    var (plain, squared) = (Reference(count: extents.0), Reference(count: extents.0))
    for (i, v) in values.enumerated() {
      plain.add(Double(v), to: i / extents.1)
      squared.add(Double(v) * Double(v), to: i / extents.1)
    }
    let factor = 2 * Double(extents.1).squareRoot() + 4
    expectClose(try sampleSums(x).floats(), plain, factor: factor)
    expectClose(try sampleSums(x, squared: true).floats(), squared, factor: factor)
  }
}
