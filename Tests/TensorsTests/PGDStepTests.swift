import Devices
import Foundation
import Randomness
import Tensors
import TestSupport
import Testing

private let epsilons: [Float] = [0, 0.1, 8 / 255, 0.3, 1e-4, 1]

@Suite struct PGDStepTests {
  private let shape: Shape = isUnderOclgrind ? [3, 5, 5, 1] : [7, 13, 11, 3]

  private func images(_ seed: UInt64) -> [Float] {
    var random = Seeded(seed)
    // Bytes over 255, both ends included: what real images are.
    return (0..<shape.count).map { _ in Float(Int.random(in: 0...255, using: &random)) / 255 }
  }

  private func starts(_ device: Device, _ norm: Norm, _ epsilon: Float, seed: UInt64 = 5, epoch: UInt32 = 0)
    throws
    -> [Float]
  {
    let ids = try Tensor((0..<Int32(shape[0])).map { $0 * 31 }, on: device)
    return try attackStart(
      Tensor(images(1), shape: shape, on: device), sampleIDs: ids, norm: norm, epsilon: epsilon, seed: seed,
      epoch: epoch
    ).floats()
  }

  /// The length of each sample's change in Double.
  private func distances(_ a: [Float], _ b: [Float], _ norm: Norm) -> [Double] {
    let size = shape.count / shape[0]
    return (0..<shape[0]).map { n in
      let changes = (n * size..<(n + 1) * size).map { Double(a[$0]) - Double(b[$0]) }
      return norm == .linf
        ? changes.map(abs).max()! : changes.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
  }

  @Test(arguments: devicesUnderTest, Norm.allCases)
  func stepsStayInTheBallAndInRange(device: Device, norm: Norm) throws {
    var random = Seeded(40)
    let original = images(1)
    let x0 = try Tensor(original, shape: shape, on: device)
    let gradient = try Tensor(random.floats(shape.count), shape: shape, on: device)
    for epsilon in epsilons {
      var x = try Tensor(starts(device, norm, epsilon), shape: shape, on: device)
      for _ in 0..<4 {
        x = try pgdStep(
          x, original: x0, gradient: gradient, norm: norm, stepSize: max(epsilon, 0.01), epsilon: epsilon)
        let values = try x.floats()
        #expect(distances(values, original, norm).allSatisfy { $0 <= Double(epsilon) })
        #expect(values.allSatisfy { (0...1).contains($0) })
        if epsilon == 0 { #expect(values == original) }
      }
      #expect(try x0.floats() == original, "the input was changed")
    }
  }

  @Test(arguments: devicesUnderTest, Norm.allCases)
  func startsStayInTheBallAndDiffer(device: Device, norm: Norm) throws {
    let original = images(1)
    for epsilon in epsilons {
      let start = try starts(device, norm, epsilon)
      #expect(distances(start, original, norm).allSatisfy { $0 <= Double(epsilon) })
      #expect(start.allSatisfy { (0...1).contains($0) })
      #expect((start == original) == (epsilon == 0))
    }
    let first = try starts(device, norm, 0.1)
    #expect(try starts(device, norm, 0.1) == first)
    #expect(try starts(device, norm, 0.1, seed: 6) != first)
    #expect(try starts(device, norm, 0.1, epoch: 1) != first)
  }

  /// Linf steps and starts are the same bits on every device; L2 ones agree closely.
  @Test(arguments: devicesUnderTest)
  func devicesAgree(device: Device) throws {
    let cpu = Device.cpu(try CPU(threads: 1, instructionSet: .baseline))
    #expect(try starts(device, .linf, 8 / 255) == starts(cpu, .linf, 8 / 255))
    #expect(try zip(starts(device, .l2, 1), starts(cpu, .l2, 1)).allSatisfy { abs($0 - $1) < 2e-6 })
    var random = Seeded(41)
    let gradient = random.floats(shape.count)
    for norm in Norm.allCases {
      let results = try [device, cpu].map { device in
        try pgdStep(
          Tensor(images(2), shape: shape, on: device), original: Tensor(images(1), shape: shape, on: device),
          gradient: Tensor(gradient, shape: shape, on: device), norm: norm, stepSize: 0.03, epsilon: 0.1
        ).floats()
      }
      if norm == .linf {
        #expect(results[0] == results[1])
      } else {
        #expect(zip(results[0], results[1]).allSatisfy { abs($0 - $1) < 2e-6 })
      }
    }
  }

  /// A step without projection is x + a sign(g), or x + a g / |g| per sample.
  @Test(arguments: devicesUnderTest)
  func stepsFollowTheGradient(device: Device) throws {
    var random = Seeded(42)
    let x = random.floats(shape.count, in: 0.4...0.6)
    var g = random.floats(shape.count, in: -1e-20...1e-20)
    g[0] = 0
    g[1] = .nan
    let size = shape.count / shape[0]
    func step(_ norm: Norm, _ gradient: [Float]) throws -> [Float] {
      let images = try Tensor(x, shape: shape, on: device)
      return try pgdStep(
        images, original: images, gradient: Tensor(gradient, shape: shape, on: device), norm: norm,
        stepSize: 0.05,
        epsilon: 10
      ).floats()
    }
    let linf = try step(.linf, g)
    for i in x.indices {
      #expect(linf[i] == (g[i] > 0 ? x[i] + 0.05 : g[i] < 0 ? x[i] - 0.05 : x[i]))
    }
    g[1] = 1e-20
    for i in 0..<size { g[size + i] = 0 }
    let l2 = try step(.l2, g)
    for n in 0..<shape[0] {
      let part = (n * size..<(n + 1) * size)
      let length = part.reduce(0.0) { $0 + Double(g[$1]) * Double(g[$1]) }.squareRoot()
      for i in part {
        let expected = Double(x[i]) + (length > 0 ? 0.05 * Double(g[i]) / length : 0)
        #expect(abs(Double(l2[i]) - expected) < 1e-6)
      }
    }
  }

  /// A sample's start does not depend on its place in the batch.
  @Test(arguments: devicesUnderTest, Norm.allCases)
  func startsAreKeyedBySample(device: Device, norm: Norm) throws {
    let size = shape.count / shape[0]
    let pixels = [Float](repeating: 0.5, count: shape.count)
    func start(_ ids: [Int32]) throws -> [Float] {
      try attackStart(
        Tensor(pixels, shape: shape, on: device), sampleIDs: Tensor(ids, on: device), norm: norm,
        epsilon: 0.2,
        seed: 1, epoch: 0
      ).floats()
    }
    let ids = (0..<Int32(shape[0])).map { $0 * 7 + 1 }
    let (forward, backward) = (try start(ids), try start(ids.reversed()))
    for n in 0..<shape[0] {
      let m = shape[0] - 1 - n
      #expect(forward[n * size..<(n + 1) * size] == backward[m * size..<(m + 1) * size])
    }
  }
}

@Suite struct RandomValuesTests {
  private let count = isUnderOclgrind ? 70 : 5003

  @Test(arguments: devicesUnderTest)
  func uniformValuesAreTheHosts(device: Device) throws {
    let stream = RandomStream(seed: 0x1234_5678_9ABC_DEF0, purpose: .test, epoch: 3, sample: 9)
    let values = try randomUniform([count], in: -2..<3, from: stream, on: device).floats()
    let expected = (0..<count).map { index -> Float in
      let step = 5 * stream.uniform(at: index)
      return -2 + step
    }
    #expect(values == expected)
  }

  @Test(arguments: devicesUnderTest)
  func normalValuesAreTheHosts(device: Device) throws {
    let stream = RandomStream(seed: 7, purpose: .test)
    let values = try randomNormal([count], mean: 1, standardDeviation: 2, from: stream, on: device).floats()
    for (i, value) in values.enumerated() {
      #expect(abs(Double(value) - (1 + 2 * stream.normal(at: i))) < 2e-5)
    }
  }
}
