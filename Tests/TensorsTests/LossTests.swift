import Devices
import Foundation
import TestSupport
import Tensors
import Testing

/// A scalar loss of logits under test, with its reference for one row in Double.
struct LossUnderTest {
  let loss: (Tensor, Reduction) throws -> Tensor
  let row: (Int, [Double]) -> Double

  /// Compares value and gradient, for both reductions, and the gradient under an upstream factor.
  func check(_ z: [Float], _ c: RowCase, on device: Device, _ comment: String = "") throws {
    let x = try Tensor(z, shape: [c.rows, c.columns], on: device)
    for reduction in [Reduction.batchMean, .sum] {
      let scale = reduction == .sum ? 1 : 1 / Double(c.rows)
      var expected = Reference(count: 1)
      for i in 0..<c.rows {
        let z = c.row(i, of: z)
        expected.values[0] += scale * row(i, z)
        expected.magnitudes[0] += scale * (1 + z.max()! - z.min()!)
      }
      let (value, gradient) = try valueWithGradient(at: x) { try loss($0, reduction) }
      #expect(value.shape == [])
      expectClose(try value.floats(), expected, factor: 2 * c.factor, "\(comment) value, \(reduction)")
      #expect(try loss(x, reduction).scalar() == value.scalar(), "the loss differs when nothing is recorded")
      let reference = c.gradient(z, scale: scale, of: row)
      expectClose(try gradient.floats(), reference, factor: 2 * c.factor, "\(comment) gradient, \(reduction)")
      try checkUpstream(x, reduction, try value.scalar(), try gradient.floats())
    }
  }

  /// The gradient of (loss - 3)^2 is 2 (loss - 3) times the gradient of the loss.
  private func checkUpstream(_ x: Tensor, _ reduction: Reduction, _ value: Float, _ gradient: [Float]) throws
  {
    let three = try Tensor(repeating: 3, shape: [], on: x.device)
    let (_, scaled) = try valueWithGradient(at: x) { try meanSquaredError(loss($0, reduction), three) }
    expectClose(
      try scaled.floats(), Reference(gradient.map { Double($0) * 2 * (Double(value) - 3) }),
      factor: 4 * max(1, Double(abs(value)) / Double(max(abs(value - 3), 1e-3))), absolute: 1e-20, "upstream")
  }
}

@Suite struct LossTests {
  @Test(arguments: devicesUnderTest, RowCase.all)
  func crossEntropyWithLabels(device: Device, c: RowCase) throws {
    var random = Seeded(1)
    let z = c.logits(&random)
    let labels = random.labels(c.rows, classes: c.columns)
    let y = try Tensor(labels, on: device)
    for smoothing: Float in [0, 0.1, 1] {
      let a = Double(smoothing)
      try LossUnderTest(
        loss: { try crossEntropy($0, y, labelSmoothing: smoothing, reduction: $1) },
        row: { i, z in
          let logP = logSoftmax(z)
          return -(1 - a) * logP[Int(labels[i])] - a / Double(z.count) * logP.reduce(0, +)
        }
      ).check(z, c, on: device, "smoothing \(smoothing)")
    }
  }

  @Test(arguments: devicesUnderTest, RowCase.all)
  func crossEntropyOfEachSample(device: Device, c: RowCase) throws {
    var random = Seeded(2)
    let z = c.logits(&random)
    let labels = random.labels(c.rows, classes: c.columns)
    var reference = Reference((0..<c.rows).map { -logSoftmax(c.row($0, of: z))[Int(labels[$0])] })
    reference.magnitudes = reference.magnitudes.map { $0 + 1 }
    let losses = try crossEntropyPerSample(
      Tensor(z, shape: [c.rows, c.columns], on: device), Tensor(labels, on: device))
    #expect(losses.shape == [c.rows])
    expectClose(try losses.floats(), reference, factor: c.factor)
  }

  /// Targets that do not sum to 1 too.
  @Test(arguments: devicesUnderTest, RowCase.all)
  func crossEntropyWithProbabilities(device: Device, c: RowCase) throws {
    var random = Seeded(3)
    let z = c.logits(&random)
    let q = random.floats(z.count, in: 0...1).map { $0 * 2 / Float(c.columns) }
    let targets = try Tensor(q, shape: [c.rows, c.columns], on: device)
    try LossUnderTest(
      loss: { try crossEntropy($0, targets: targets, reduction: $1) },
      row: { i, z in -zip(c.row(i, of: q), logSoftmax(z)).map { $0 * $1 }.reduce(0, +) }
    ).check(z, c, on: device)
  }

  @Test(arguments: devicesUnderTest, RowCase.all)
  func divergenceOfTeacherAndStudent(device: Device, c: RowCase) throws {
    var random = Seeded(4)
    let (t, s) = (random.floats(c.rows * c.columns, in: -4...4), c.logits(&random))
    let shape: Shape = [c.rows, c.columns]
    let (teacher, student) = (
      try Tensor(t, shape: shape, on: device), try Tensor(s, shape: shape, on: device)
    )
    for temperature: Float in [1, 0.5, 4] {
      let T = Double(temperature)
      func divergence(_ t: [Double], _ s: [Double]) -> Double {
        zip(logSoftmax(t, temperature: T), logSoftmax(s, temperature: T))
          .map { exp($0) * ($0 - $1) }.reduce(0, +)
      }
      try LossUnderTest(
        loss: { try klDivergence(teacher: teacher, student: $0, temperature: temperature, reduction: $1) },
        row: { divergence(c.row($0, of: t), $1) }
      ).check(s, c, on: device, "student, T \(temperature)")
      let calm = t.map { $0 / 2 }
      let other = try Tensor(calm, shape: shape, on: device)
      try LossUnderTest(
        loss: { try klDivergence(teacher: $0, student: other, temperature: temperature, reduction: $1) },
        row: { divergence($1, c.row($0, of: calm)) }
      ).check(s, c, on: device, "teacher, T \(temperature)")
    }
    #expect(try klDivergence(teacher: student, student: student).scalar() == 0)
  }

  /// One tensor on both sides: both gradients flow and cancel.
  @Test(arguments: devicesUnderTest)
  func divergenceGradientsOfBothSidesAddUp(device: Device) throws {
    var random = Seeded(5)
    let c = RowCase(rows: 3, columns: 5)
    let z = random.floats(15, in: -2...2)

    let (_, gradient) = try valueWithGradient(at: Tensor(z, shape: [3, 5], on: device)) {
      try klDivergence(teacher: $0, student: logSoftmax(softmax($0)))
    }
    let reference = c.gradient(z, scale: 1.0 / 3) { _, z in
      let p = logSoftmax(z)
      let q = logSoftmax(p.map { exp($0) })
      return zip(p, q).map { exp($0) * ($0 - $1) }.reduce(0, +)
    }
    expectClose(try gradient.floats(), reference, factor: 4 * c.factor)
  }

  @Test(arguments: devicesUnderTest, RowCase.pairs)
  func margins(device: Device, c: RowCase) throws {
    var random = Seeded(6)
    let z = c.logits(&random)
    let labels = random.labels(c.rows, classes: c.columns)
    let y = try Tensor(labels, on: device)
    try LossUnderTest(
      loss: { try marginLoss($0, y, reduction: $1) },
      row: { i, z in
        let label = Int(labels[i])
        return z.indices.filter { $0 != label }.map { z[$0] }.max()! - z[label]
      }
    ).check(z, c, on: device)
  }

  @Test(arguments: devicesUnderTest)
  func marginGradientTakesTheLowestIndexOfEqualMaxima(device: Device) throws {
    let z: [Float] = [5, 5, 5, 1, 0, 2, 7, 7]
    let labels = try Tensor([Int32(0), 1], on: device)
    let (_, gradient) = try valueWithGradient(at: Tensor(z, shape: [2, 4], on: device)) {
      try marginLoss($0, labels, reduction: .sum)
    }
    #expect(try gradient.floats() == [-1, 1, 0, 0, 0, -1, 1, 0])
  }

  /// Beyond a logit gap of 17 a probability rounds to 1; loss and gradient must not vanish.
  @Test(arguments: devicesUnderTest)
  func confidentSamplesKeepLossAndGradient(device: Device) throws {
    let z: [Float] = [0, 30, 1, 2]
    let labels = try Tensor([Int32(1)], on: device)
    let (value, gradient) = try valueWithGradient(at: Tensor(z, shape: [1, 4], on: device)) {
      try crossEntropy($0, labels)
    }
    let others = [-30.0, -29, -28].map { exp($0) }
    let rest = others.reduce(0, +)
    expectClose(try value.floats(), Reference([log1p(rest)]), factor: 10)
    expectClose(
      try gradient.floats(), Reference([others[0], -rest, others[1], others[2]].map { $0 / (1 + rest) }),
      factor: 10)
  }

  /// Kernels neither read nor write beyond their buffers for such labels, and the loss tells.
  @Test(arguments: devicesUnderTest, [Int32(-1), 3, 1_000_000, .max, .min])
  func labelsOutOfRangeGiveNoNumber(device: Device, label: Int32) throws {
    let x = try Tensor([1 as Float, 2, 3, 4, 5, 6], shape: [2, 3], on: device)
    let labels = try Tensor([label, 0], on: device)
    let losses = try crossEntropyPerSample(x, labels).floats()
    #expect(losses[0].isNaN && losses[1].isFinite)
    for loss in [{ try crossEntropy($0, labels) }, { try marginLoss($0, labels) }]
      as [(Tensor) throws -> Tensor]
    {
      let (value, gradient) = try valueWithGradient(at: x, of: loss)
      #expect(try value.scalar().isNaN)
      let values = try gradient.floats()
      #expect(values[0..<3].allSatisfy { $0.isNaN } && values[3...].allSatisfy { $0.isFinite })
    }
  }

  @Test(arguments: devicesUnderTest)
  func wrongArgumentsThrow(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [2, 3], on: device)
    let labels = try Tensor([Int32(0), 1], on: device)
    let three = try Tensor([Int32(0), 1, 2], on: device)
    #expect(throws: (any Error).self) { try crossEntropy(x, three) }
    #expect(throws: (any Error).self) { try crossEntropy(x, x) }
    #expect(throws: (any Error).self) { try crossEntropy(x, targets: labels) }
    #expect(throws: (any Error).self) { try crossEntropy(x, labels, labelSmoothing: 1.5) }
    #expect(throws: (any Error).self) { try crossEntropy(x, targets: x.reshaped([3, 2])) }
    #expect(throws: (any Error).self) { try crossEntropyPerSample(x, three) }
    #expect(throws: (any Error).self) { try marginLoss(x, three) }
    #expect(throws: (any Error).self) { try marginLoss(x.reshaped([6, 1]), labels) }
    #expect(throws: (any Error).self) { try klDivergence(teacher: x, student: x.reshaped([3, 2])) }
    #expect(throws: (any Error).self) { try klDivergence(teacher: x, student: x, temperature: -1) }
  }
}
