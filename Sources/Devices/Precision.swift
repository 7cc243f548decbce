/// The precision of the operands of matrix products and convolutions. Sums, parameters, optimizer state and
/// everything else are `float32` in any case.
public enum Precision: String, CaseIterable, Sendable {
  /// Operands as they are.
  case fp32
  /// Operands rounded to bfloat16 (8 bits of exponent, 7 of fraction), to nearest, ties to even. Products of two
  /// such numbers are exact in `float32`, in which they are added. Its range is that of `float32`: losses need no
  /// scaling. With AVX512-BF16 two products are added at a time, in another order, and subnormal operands count as 0.
  case bf16
}
