/// Philox4x32-10, a counter-based random number generator (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011): four random words are a pure function of a counter and a key, so any element of any stream
/// is computed without the ones before it, on every device alike.
public enum Philox {
  /// Ten rounds of the generator.
  ///
  /// - Parameters:
  ///   - counter: Which block of the stream.
  ///   - key: Which stream; Temper puts the low and high halves of the seed here.
  /// - Returns: Four words, each uniform over all 32-bit values.
  @inlinable
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let p0 = UInt64(c[0]) &* 0xd251_1f53
      let p1 = UInt64(c[2]) &* 0xcd9e_8d57
      let (high0, low0) = (UInt32(p0 >> 32), UInt32(truncatingIfNeeded: p0))
      let (high1, low1) = (UInt32(p1 >> 32), UInt32(truncatingIfNeeded: p1))
      c = SIMD4(high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0)
      k = k &+ SIMD2(0x9e37_79b9, 0xbb67_ae85)
    }
    return c
  }
}
