import Randomness
import Statistics
import Testing

@Suite struct RadixSortTests {
  /// Numbers of all sizes and signs with ties, infinities and both zeros.
  private static func numbers(_ count: Int) -> [Double] {
    var stream = RandomStream(seed: 3, purpose: .test)
    return (0..<count).map { place in
      switch place % 7 {
      case 0: Double(stream.nextInteger(below: 50)) - 25
      case 1: stream.nextNormal() * 1e-300
      case 2: stream.nextNormal() * 1e300
      case 3:
        [0.0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, -.leastNonzeroMagnitude][
          stream.nextInteger(below: 6)]
      default: stream.nextNormal()
      }
    }
  }

  /// Below and above the size from which bits are sorted.
  @Test(arguments: [0, 1, 2, 100, 4095, 4096, 10_007, 70_000])
  func sortsAsComparingDoes(count: Int) {
    let numbers = Self.numbers(count)
    var sorted = numbers
    sort(&sorted)
    #expect(sorted == numbers.sorted())
    let (values, order) = Statistics.sorted(numbers)
    #expect(values == sorted)
    #expect(order.map { numbers[Int($0)] } == sorted)
    #expect(Set(order).count == count)
    // Equal bits stay in order.
    #expect(
      zip(order, order.dropFirst()).allSatisfy {
        numbers[Int($0)].bitPattern != numbers[Int($1)].bitPattern || $0 < $1
      })
  }

  @Test(arguments: [10, 5000]) func sortsWholeNumbers(count: Int) {
    var stream = RandomStream(seed: 4, purpose: .test)
    let numbers = (0..<count).map { place in
      switch place % 4 {
      case 0: Int64.min + Int64(place)
      case 1: Int64.max - Int64(place)
      default: Int64(stream.nextInteger(below: 100)) - 50
      }
    }
    let (values, order) = Statistics.sorted(numbers)
    #expect(values == numbers.sorted() && order.map { numbers[Int($0)] } == values)
  }

  /// Ranks, and what is made of them, over the size from which bits are sorted.
  @Test func ranksOfManyNumbersAreThoseOfTheirDefinition() {
    let numbers = Self.numbers(9000)
    let sorted = numbers.sorted()
    let ranks = averageRanks(numbers)
    for place in stride(from: 0, to: 9000, by: 61) {
      let below = sorted.prefix { $0 < numbers[place] }.count
      let equal = sorted[below...].prefix { $0 == numbers[place] }.count
      #expect(ranks[place] == Double(2 * below + equal + 1) / 2)
    }
  }
}
