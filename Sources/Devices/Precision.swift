/// The precision of the operands of matrix products and convolutions. Sums, parameters, optimizer state and
/// everything else are `float32` in any case.
public enum Precision: String, CaseIterable, Sendable, Codable {
  /// Operands as they are.
  case fp32
  /// Operands rounded to 8 bits of exponent and 10 of fraction, to nearest, ties away from zero: tensor cores only.
  case tf32
  /// Operands rounded to bfloat16 (8 bits of exponent, 7 of fraction), to nearest, ties to even. Products of two
  /// such numbers are exact in `float32`, in which they are added. Its range is that of `float32`: losses need no
  /// scaling. With AVX512-BF16 two products are added at a time, in another order, and subnormal operands count as 0.
  case bf16

  /// Bits of an operand that count.
  package var bits: Int {
    switch self {
    case .fp32: 32
    case .tf32: 19
    case .bf16: 16
    }
  }

  /// An operand as products read it.
  package func rounded(_ x: Float) -> Float {
    let bits = x.bitPattern
    switch self {
    case .fp32: return x
    case .tf32: return x.isFinite ? Float(bitPattern: (bits + 0x1000) & 0xFFFF_E000) : x
    case .bf16: return x.isNaN ? x : Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }
  }
}
