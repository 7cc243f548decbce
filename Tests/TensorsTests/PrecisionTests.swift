import Devices
import Tensors
import TestSupport
import Testing

/// `--precision bf16`: operands are rounded, and nothing else.
@Suite(.enabled(if: !isUnderOclgrind, "of the CPU only")) struct PrecisionTests {
  /// The nearest bfloat16 by search among the two neighbours; ties go to the one with an even last bit.
  static func nearest(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    let below = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let aboveBits = (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000
    // Beyond the largest bfloat16 the neighbour counts as 2^128, as IEEE 754 has it.
    let above =
      Float(bitPattern: aboveBits).isFinite
      ? Double(Float(bitPattern: aboveBits)) : 0x1p128 * (x < 0 ? -1 : 1)
    let (down, up) = (abs(Double(x) - Double(below)), abs(above - Double(x)))
    if down != up { return down < up ? below : Float(bitPattern: aboveBits) }
    return below.bitPattern >> 16 & 1 == 0 ? below : Float(bitPattern: aboveBits)
  }

  @Test func roundingIsToNearestEven() throws {
    var random = Seeded(11)
    var values: [Float] = [
      0, -0.0, 1, -1, 0x1.01p0, 0x1.03p0, 0x1.00ffp0, -0x1.01p0, .infinity, -.infinity,
      .leastNonzeroMagnitude,
      .leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0x1.fep127, 0x1.fefffep127,
    ]
    values += (0..<999).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    let cpu = try CPU(threads: 1)
    var rounded = [Float](repeating: 7, count: values.count)
    cpu.roundToBFloat16(values, values.count, into: &rounded)
    for (x, y) in zip(values, rounded) {
      #expect(x.isNaN ? y.isNaN : y.bitPattern == Self.nearest(x).bitPattern, "\(x)")
    }
  }

  /// A device of each instruction set with fp32 and with bf16 operands.
  static let pairs = CPU.availableInstructionSets.map { set in
    (
      fp32: Device.cpu(try! CPU(threads: 2, instructionSet: set)),
      bf16: Device.cpu(try! CPU(threads: 2, instructionSet: set, precision: .bf16))
    )
  }

  static func rounded(_ x: [Float]) throws -> [Float] {
    var result = x
    try CPU(threads: 1).roundToBFloat16(x, x.count, into: &result)
    return result
  }

  @Test func productsAreThoseOfRoundedOperands() throws {
    var random = Seeded(12)
    let (a, b) = (random.floats(37 * 50), random.floats(50 * 41))
    for (fp32, bf16) in Self.pairs {
      let product = try matmul(Tensor(a, shape: [37, 50], on: bf16), Tensor(b, shape: [50, 41], on: bf16))
        .floats()
      let expected = try matmul(
        Tensor(Self.rounded(a), shape: [37, 50], on: fp32),
        Tensor(Self.rounded(b), shape: [50, 41], on: fp32)
      ).floats()
      #expect(product == expected)
      #expect(
        try product
          != matmul(Tensor(a, shape: [37, 50], on: fp32), Tensor(b, shape: [50, 41], on: fp32)).floats())
    }
  }

  @Test(arguments: convolutionCases)
  func convolutionsAreThoseOfRoundedOperands(g: ConvolutionGeometry) throws {
    var random = Seeded(13)
    let inputs = [g.imageShape, g.weightShape, g.outputShape].map { ($0, random.floats($0.count)) }
    for (fp32, bf16) in Self.pairs {
      let half = try inputs.map { try Tensor($0.1, shape: $0.0, on: bf16) }
      let full = try inputs.map { try Tensor(Self.rounded($0.1), shape: $0.0, on: fp32) }
      half[1].buffer.keepsDerivedForms = true
      for _ in 0..<2 {  // the second time with kept forms
        let pair = try (
          conv2d(half[0], half[1], stride: g.stride, padding: g.padding).floats(),
          conv2d(full[0], full[1], stride: g.stride, padding: g.padding).floats()
        )
        #expect(pair.0 == pair.1)
        let (a, b) = try (
          Convolution.gradients(half[0], half[1], half[2], g),
          Convolution.gradients(full[0], full[1], full[2], g)
        )
        #expect(try a.x.floats() == b.x.floats())
        #expect(try a.w.floats() == b.w.floats())
      }
      // New weights, new kept forms.
      let zeros = try Tensor(repeating: 0, shape: g.weightShape, on: bf16)
      try bf16.copy(zeros.buffer, to: half[1].buffer, byteCount: g.weightShape.count * 4)
      half[1].buffer.markChanged()
      let zero = try conv2d(half[0], half[1], stride: g.stride, padding: g.padding).floats()
      #expect(zero.allSatisfy { $0 == 0 })
    }
  }
}
