import Devices
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct SoftmaxTests {
  @Test(arguments: devicesUnderTest, RowCase.all)
  func probabilities(device: Device, c: RowCase) throws {
    var random = Seeded(1)
    let z = c.logits(&random)
    let x = try Tensor(z, shape: [c.rows, c.columns], on: device)
    for temperature: Float in [1, 0.5, 7] {
      var reference = Reference([])
      for i in 0..<c.rows {
        for y in logSoftmax(c.row(i, of: z), temperature: Double(temperature)) {
          reference.values.append(exp(y))
          // The relative error of e^y grows with the rounding of y.
          reference.magnitudes.append(exp(y) * (1 - y))
        }
      }
      let p = try softmax(x, temperature: temperature).floats()
      expectClose(p, reference, factor: c.factor, "T \(temperature)")
      for i in 0..<c.rows {
        let sum = c.row(i, of: p).reduce(0, +)
        #expect(abs(sum - 1) < c.factor * Double(Float.ulpOfOne), "row \(i) sums to \(sum)")
      }
    }
  }

  @Test(arguments: devicesUnderTest, RowCase.all)
  func logarithms(device: Device, c: RowCase) throws {
    var random = Seeded(2)
    let z = c.logits(&random)
    var reference = Reference((0..<c.rows).flatMap { logSoftmax(c.row($0, of: z)) })
    reference.magnitudes = reference.magnitudes.map { $0 + 1 }
    let y = try logSoftmax(Tensor(z, shape: [c.rows, c.columns], on: device)).floats()
    expectClose(y, reference, factor: c.factor)
  }

  @Test(arguments: devicesUnderTest, RowCase.all)
  func gradients(device: Device, c: RowCase) throws {
    var random = Seeded(3)
    let z = c.logits(&random)
    let other = random.floats(z.count)
    let shape: Shape = [c.rows, c.columns]
    let target = try Tensor(other, shape: shape, on: device)
    // The mean squared error to fixed values, so that the upstream gradient differs everywhere.
    func error(_ y: [Double], _ row: Int) -> Double {
      zip(y, c.row(row, of: other)).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
    }
    let scale = 1 / Double(z.count)
    for temperature: Float in [1, 0.5, 7] {
      let (_, gradient) = try valueWithGradient(at: Tensor(z, shape: shape, on: device)) {
        try meanSquaredError(softmax($0, temperature: temperature), target)
      }
      let reference = c.gradient(z, scale: scale) {
        error(logSoftmax($1, temperature: Double(temperature)).map { exp($0) }, $0)
      }
      expectClose(try gradient.floats(), reference, factor: 2 * c.factor, "T \(temperature)")
    }
    let (_, gradient) = try valueWithGradient(at: Tensor(z, shape: shape, on: device)) {
      try meanSquaredError(logSoftmax($0), target)
    }
    var reference = c.gradient(z, scale: scale) { error(logSoftmax($1), $0) }
    // The upstream gradients add up over the row.
    reference.magnitudes = reference.magnitudes.map { $0 * Double(c.columns) }
    expectClose(try gradient.floats(), reference, factor: 2 * c.factor)
  }

  @Test(arguments: devicesUnderTest)
  func wrongArgumentsThrow(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [2, 3], on: device)
    #expect(throws: (any Error).self) { try softmax(x, temperature: 0) }
    #expect(throws: (any Error).self) { try softmax(x.reshaped([6])) }
    #expect(throws: (any Error).self) { try logSoftmax(x.reshaped([1, 2, 3])) }
  }
}
