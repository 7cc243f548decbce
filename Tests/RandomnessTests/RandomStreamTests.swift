import Randomness
import Testing

@Suite struct RandomStreamTests {
  @Test func wordsFollowTheDocumentedCounter() {
    let stream = RandomStream(seed: 0x0123_4567_89ab_cdef, purpose: .augmentation, epoch: 3, sample: 9)
    for index in [0, 1, 2, 3, 4, 5, 1023, (1 << 34) - 1] {
      let block = Philox.block(
        counter: SIMD4(UInt32(index >> 2), 9, 3, 4), key: SIMD2(0x89ab_cdef, 0x0123_4567))
      #expect(stream.word(at: index) == block[index & 3])
      #expect(stream.uniform(at: index) == Float(block[index & 3] >> 8) / 16_777_216)
    }
  }

  @Test func sequentialReadsEqualIndexedReads() {
    let stream = RandomStream(seed: 5, purpose: .test)
    var (words, uniforms, normals, wide) = (stream, stream, stream, stream)
    for index in 0..<103 {
      #expect(words.nextWord() == stream.word(at: index))
      #expect(uniforms.nextUniform() == stream.uniform(at: index))
      #expect(normals.nextNormal() == stream.normal(at: index))
      let low = UInt64(stream.word(at: 2 * index))
      #expect(wide.next() == low | UInt64(stream.word(at: 2 * index + 1)) << 32)
    }
    #expect(words.position == 103)
    #expect(wide.position == 206)
  }

  @Test func everyPartOfTheNameChangesTheStream() {
    let streams = [
      RandomStream(seed: 1, purpose: .order), RandomStream(seed: 2, purpose: .order),
      RandomStream(seed: 1 << 32, purpose: .order), RandomStream(seed: 1, purpose: .split),
      RandomStream(seed: 1, purpose: .order, epoch: 1), RandomStream(seed: 1, purpose: .order, sample: 1),
    ]
    #expect(Set(streams.map { $0.word(at: 0) }).count == streams.count)
    #expect(Purpose.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  }

  @Test func uniformsHaveTheRightMoments() {
    let stream = RandomStream(seed: 11, purpose: .test)
    let values = (0..<100_000).map { Double(stream.uniform(at: $0)) }
    #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
    let mean = values.reduce(0, +) / 1e5
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1e5
    // Four standard errors: .2887 / sqrt(1e5) for the mean, .0745 / sqrt(1e5) for the variance.
    #expect(abs(mean - 0.5) < 4 * 9.13e-4)
    #expect(abs(variance - 1.0 / 12) < 4 * 2.36e-4)
  }

  @Test func normalsHaveTheRightMoments() {
    let stream = RandomStream(seed: 12, purpose: .test)
    let values = (0..<100_000).map { stream.normal(at: $0) }
    func moment(_ power: Int) -> Double {
      values.reduce(0) { sum, x in sum + (0..<power).reduce(1) { product, _ in product * x } } / 1e5
    }
    // Four standard errors each: the k-th moment has variance E[x^2k] - E[x^k]^2.
    #expect(abs(moment(1)) < 4 * 3.17e-3)
    #expect(abs(moment(2) - 1) < 4 * 4.48e-3)
    #expect(abs(moment(3)) < 4 * 1.23e-2)
    #expect(abs(moment(4) - 3) < 4 * 3.10e-2)
    let neighbours = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / 1e5
    #expect(abs(neighbours) < 4 * 3.17e-3)
  }

  @Test(arguments: [0, 1, 2, 3, 17, 1000]) func permutationHoldsEveryNumberOnce(count: Int) {
    var stream = RandomStream(seed: 3, purpose: .order)
    #expect(stream.permutation(of: count).sorted() == Array(0..<count))
  }

  @Test func everyOrderIsEquallyLikely() {
    var stream = RandomStream(seed: 4, purpose: .test)
    var counts: [[Int]: Int] = [:]
    for _ in 0..<24_000 { counts[stream.permutation(of: 4), default: 0] += 1 }
    #expect(counts.count == 24)
    // Chi-squared with 23 degrees of freedom: 49.7 is exceeded once in a thousand.
    let chiSquared = counts.values.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 }
    #expect(chiSquared < 49.7)
  }

  @Test func boundedIntegersHaveNoBias() {
    // With bound 3 * 2^30 a plain multiplication would make every third result twice as likely.
    var stream = RandomStream(seed: 6, purpose: .test)
    let bound = 3 << 30
    var thirds = [0, 0, 0]
    for _ in 0..<30_000 {
      let value = stream.nextInteger(below: bound)
      #expect(value >= 0 && value < bound)
      thirds[value % 3] += 1
    }
    let chiSquared = thirds.reduce(0.0) { $0 + Double(($1 - 10_000) * ($1 - 10_000)) / 10_000 }
    #expect(chiSquared < 13.8)
    #expect(stream.nextInteger(below: 1) == 0)
  }

  @Test func shuffleUsesTheSameOrderAsPermutation() {
    var (first, second) = (RandomStream(seed: 8, purpose: .order), RandomStream(seed: 8, purpose: .order))
    var letters = Array("abcdefgh")
    let order = first.permutation(of: 8)
    second.shuffle(&letters)
    #expect(String(letters) == String(order.map { Array("abcdefgh")[$0] }))
  }
}
