import Foundation

/// What random numbers are for. Each purpose has streams of its own, so that drawing more of one kind never
/// changes another. The values are part of the results' reproducibility: never renumber them.
public enum Purpose: UInt32, Sendable, CaseIterable {
  /// Initial weights.
  case weights = 1
  /// The order of the samples in an epoch.
  case order = 2
  /// The split of a data set into training and validation samples.
  case split = 3
  /// Data augmentation.
  case augmentation = 4
  /// Random starts of attacks.
  case attackStart = 5
  /// Permutations of logits.
  case permutation = 6
  /// Tests.
  case test = 7
  /// Resamples of a bootstrap.
  case bootstrap = 8
  /// Samples of toy problems.
  case simulation = 9
  /// Random flips of signs in a randomisation test.
  case signFlips = 10
}

/// A stream of random numbers named by (seed, purpose, epoch, sample): the same name gives the same numbers on
/// every device and any number of threads.
///
/// The stream is a sequence of 2^34 words of 32 bits. `word(at:)` and the other functions with an index read any
/// of them; the `next` functions read them in order. Element `i` is word `i & 3` of the ``Philox`` block with
/// counter (`i >> 2`, sample, epoch, purpose) and key (low, high half of the seed).
public struct RandomStream: Sendable {
  /// The Philox key: low and high half of the seed.
  public let key: SIMD2<UInt32>
  /// The Philox counter of the stream's first block.
  public let counter: SIMD4<UInt32>
  /// The index of the word that the next sequential read takes.
  public private(set) var position = 0
  private var block = SIMD4<UInt32>()

  /// Names a stream; nothing is computed yet.
  public init(seed: UInt64, purpose: Purpose, epoch: UInt32 = 0, sample: UInt32 = 0) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32))
    counter = SIMD4(0, sample, epoch, purpose.rawValue)
  }

  /// Word `index`, uniform over all 32-bit values.
  ///
  /// - Precondition: `index` lies in 0 ..< 2^34.
  public func word(at index: Int) -> UInt32 {
    wordBlock(index >> 2)[index & 3]
  }

  /// Word `index` as a number in [0, 1): its upper 24 bits times 2^-24, so every value is exact.
  ///
  /// - Precondition: `index` lies in 0 ..< 2^34.
  public func uniform(at index: Int) -> Float {
    Self.uniform(word(at: index))
  }

  /// Normal number `index` of the stream (mean 0, standard deviation 1), made of the words 2 `index` and
  /// 2 `index` + 1 by the Box-Muller method in Double.
  ///
  /// - Precondition: `index` lies in 0 ..< 2^33.
  public func normal(at index: Int) -> Double {
    let words = wordBlock(index >> 1)
    return index & 1 == 0 ? Self.normal(words[0], words[1]) : Self.normal(words[2], words[3])
  }

  private func wordBlock(_ index: Int) -> SIMD4<UInt32> {
    precondition(index >= 0 && index <= UInt32.max, "The index lies outside the stream.")
    return Philox.block(counter: SIMD4(UInt32(index), counter[1], counter[2], counter[3]), key: key)
  }

  private static func uniform(_ word: UInt32) -> Float {
    Float(word >> 8) * 0x1p-24
  }

  private static func normal(_ first: UInt32, _ second: UInt32) -> Double {
    // In (0, 1], so that the logarithm is finite; exact in float, as the kernels compute it.
    let radius = (-2 * log(1 - Double(uniform(first)))).squareRoot()
    return radius * cos(2 * Double.pi * Double(uniform(second)))
  }
}

extension RandomStream {
  /// The next word, uniform over all 32-bit values.
  public mutating func nextWord() -> UInt32 {
    if position & 3 == 0 { block = wordBlock(position >> 2) }
    defer { position += 1 }
    return block[position & 3]
  }

  /// The next number in [0, 1), a multiple of 2^-24.
  public mutating func nextUniform() -> Float {
    Self.uniform(nextWord())
  }

  /// The next normal number (mean 0, standard deviation 1). Takes two words.
  public mutating func nextNormal() -> Double {
    let first = nextWord()
    return Self.normal(first, nextWord())
  }

  /// The next whole number in 0 ..< `bound`, each equally likely (Lemire, "Fast random integer generation in an
  /// interval", 2019). Takes one word, rarely more.
  ///
  /// - Precondition: `bound` lies in 1 ... 2^32 - 1.
  public mutating func nextInteger(below bound: Int) -> Int {
    precondition(bound > 0 && bound <= UInt32.max, "The bound must lie in 1 ... 2^32 - 1.")
    let bound = UInt32(bound)
    var product = UInt64(nextWord()) * UInt64(bound)
    if UInt32(truncatingIfNeeded: product) < bound {
      // The lowest 2^32 mod bound low halves would make some results likelier.
      let excess = (0 &- bound) % bound
      while UInt32(truncatingIfNeeded: product) < excess { product = UInt64(nextWord()) * UInt64(bound) }
    }
    return Int(product >> 32)
  }

  /// The numbers 0 ..< `count` in random order, each order equally likely (Fisher-Yates).
  ///
  /// - Precondition: `count` lies in 0 ... 2^32 - 1.
  public mutating func permutation(of count: Int) -> [Int] {
    var result = Array(0..<count)
    shuffle(&result)
    return result
  }

  /// Puts `elements` in random order. Unlike the standard library's, the order never changes with its version.
  public mutating func shuffle<Element>(_ elements: inout [Element]) {
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, nextInteger(below: last + 1))
    }
  }
}

extension RandomStream: RandomNumberGenerator {
  /// The next 64 bits: two words, the first one low.
  public mutating func next() -> UInt64 {
    let low = UInt64(nextWord())
    return low | UInt64(nextWord()) << 32
  }
}
