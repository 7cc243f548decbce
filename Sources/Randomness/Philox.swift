import Foundation

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random words
/// from a counter of four words and a key of two, without any state.
public enum Philox {
  /// The four words of one block.
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let a = UInt64(0xD251_1F53) * UInt64(c.x)
      let b = UInt64(0xCD9E_8D57) * UInt64(c.z)
      c = SIMD4(
        UInt32(truncatingIfNeeded: b >> 32) ^ c.y ^ k.x, UInt32(truncatingIfNeeded: b),
        UInt32(truncatingIfNeeded: a >> 32) ^ c.w ^ k.y, UInt32(truncatingIfNeeded: a))
      k = SIMD2(k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85)
    }
    return c
  }
}

/// What random numbers are for; streams of different purposes never meet.
public enum Purpose: UInt32, Sendable {
  case weights = 1
  case order, split, augmentation, attackStart, permutation, test
}

/// The random numbers of one (seed, purpose, epoch, sample): the same on every device and in any order.
///
/// Element i is word i & 3 of the block with the counter (i >> 2, sample, epoch, purpose) and the seed as key.
public struct RandomStream: Sendable, Hashable {
  /// Keys the stream.
  public let seed: UInt64
  /// What the numbers are for.
  public let purpose: Purpose
  /// Epoch, restart or round.
  public let epoch: UInt32
  /// Index of the sample or tensor.
  public let sample: UInt32

  /// Creates a stream; nothing is drawn yet.
  public init(seed: UInt64, purpose: Purpose, epoch: UInt32 = 0, sample: UInt32 = 0) {
    self.seed = seed
    self.purpose = purpose
    self.epoch = epoch
    self.sample = sample
  }

  /// 32 random bits.
  public func word(at index: Int) -> UInt32 {
    let key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    let counter = SIMD4(UInt32(truncatingIfNeeded: index >> 2), sample, epoch, purpose.rawValue)
    return Philox.block(counter: counter, key: key)[index & 3]
  }

  /// A uniform float in [0, 1): a multiple of 2^-24.
  public func uniform(at index: Int) -> Float { Float(word(at: index) >> 8) * 0x1p-24 }

  /// Standard normal value i, from elements 2 i and 2 i + 1 of the stream (Box and Muller 1958).
  public func normal(at index: Int) -> Float {
    let u = 1 - uniform(at: 2 * index)
    let v = uniform(at: 2 * index + 1)
    return (-2 * log(u)).squareRoot() * cos(6.28318530717958647692 * v)
  }

  /// A permutation of `0..<count` (Fisher-Yates), every one equally likely.
  public func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    var position = 0
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, Int(bounded(UInt32(last + 1), from: &position)))
    }
    return order
  }

  /// A whole number below `bound` without bias (Lemire 2019), drawn from the elements from `position` on.
  private func bounded(_ bound: UInt32, from position: inout Int) -> UInt32 {
    let threshold = (0 &- bound) % bound
    while true {
      let product = UInt64(word(at: position)) * UInt64(bound)
      position += 1
      if UInt32(truncatingIfNeeded: product) >= threshold { return UInt32(product >> 32) }
    }
  }
}
