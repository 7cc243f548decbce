import Devices
import Tensors
import TestSupport
import Testing

/// `--precision bf16`: operands are rounded, and nothing else. Where the processor multiplies pairs of bfloat16, sums are in
/// another order.
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

  /// A device of each instruction set with fp32 and with bf16 operands, which rounds floats.
  static let devices = CPU.availableInstructionSets.map { set in
    (
      fp32: Device.cpu(try! CPU(threads: 2, instructionSet: set)),
      bf16: Device.cpu(try! CPU(threads: 2, instructionSet: set, precision: .bf16))
    )
  }.filter { !$0.bf16.multipliesPairs }

  /// A device that multiplies pairs.
  static let ofPairs = Device.cpu(try! CPU(threads: 2, precision: .bf16))

  static func rounded(_ x: [Float]) throws -> [Float] {
    var result = x
    try CPU(threads: 1).roundToBFloat16(x, x.count, into: &result)
    return result
  }

  @Test func productsAreThoseOfRoundedOperands() throws {
    var random = Seeded(12)
    let (a, b) = (random.floats(37 * 50), random.floats(50 * 41))
    for (fp32, bf16) in Self.devices {
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
    for (fp32, bf16) in Self.devices {
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

  @Test(
    .enabled(if: ofPairs.multipliesPairs, "this processor lacks AVX512-BF16"), arguments: ProductCase.all)
  func productsOfPairs(c: ProductCase) throws {
    var random = Seeded(14)
    let (a, b) = (random.floats(c.m * c.k), random.floats(c.k * c.n))
    let (roundedA, roundedB) = try (Self.rounded(a), Self.rounded(b))
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
      let x = try Tensor(a, shape: ta ? [c.k, c.m] : [c.m, c.k], on: Self.ofPairs)
      let y = try Tensor(b, shape: tb ? [c.n, c.k] : [c.k, c.n], on: Self.ofPairs)
      expectClose(
        try matmul(x, y, transposeA: ta, transposeB: tb).floats(),
        MatMulTests.reference(roundedA, roundedB, c, ta, tb), factor: MatMulTests.factor(c.k), "\(ta) \(tb)")
    }
  }

  @Test(
    .enabled(if: ofPairs.multipliesPairs, "this processor lacks AVX512-BF16"), arguments: convolutionCases)
  func convolutionsOfPairs(g: ConvolutionGeometry) throws {
    var random = Seeded(15)
    let inputs = [g.imageShape, g.weightShape, g.outputShape].map { ($0, random.floats($0.count)) }
    let rounded = try inputs.map { try Self.rounded($0.1) }
    let (y, dx, dw) = ConvolutionTests.references(g, rounded[0], rounded[1], rounded[2])
    try ConvolutionAlgorithm.$forced.withValue(.direct) {
      let (x, w, dy) = try (
        Tensor(inputs[0].1, shape: inputs[0].0, on: Self.ofPairs),
        Tensor(inputs[1].1, shape: inputs[1].0, on: Self.ofPairs),
        Tensor(inputs[2].1, shape: inputs[2].0, on: Self.ofPairs)
      )
      w.buffer.keepsDerivedForms = true
      for _ in 0..<2 {  // the second time with kept forms
        expectClose(
          try conv2d(x, w, stride: g.stride, padding: g.padding).floats(), y,
          factor: MatMulTests.factor(g.r * g.s * g.c), "forward")
        let gradients = try Convolution.gradients(x, w, dy, g)
        expectClose(try gradients.x.floats(), dx, factor: MatMulTests.factor(g.r * g.s * g.k), "dx")
        expectClose(
          try gradients.w.floats(), dw,
          factor: MatMulTests.factor(g.n * g.outputHeight * g.outputWidth), "dw")
      }
    }
  }

  /// NaN and infinities stay, and 0 times them is NaN.
  @Test(.enabled(if: ofPairs.multipliesPairs, "this processor lacks AVX512-BF16"))
  func pairsOfSpecialValues() throws {
    let a: [Float] = [.infinity, 1, .nan, 0, -.infinity, 2, 3]
    let product = try matmul(
      Tensor(a, shape: [7, 1], on: Self.ofPairs), Tensor([1, 0] as [Float], shape: [1, 2], on: Self.ofPairs)
    ).floats()
    for (i, value) in a.enumerated() {
      #expect(value.isNaN ? product[2 * i].isNaN : product[2 * i] == value)
      #expect(value.isFinite ? product[2 * i + 1] == 0 : product[2 * i + 1].isNaN)
    }
  }
}

extension Device {
  fileprivate var multipliesPairs: Bool {
    if case .cpu(let cpu) = self { cpu.multipliesPairs } else { false }
  }
}
