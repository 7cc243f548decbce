import Randomness
import Statistics
import Testing

@Suite struct HypergeometricTests {
  @Test(arguments: Reference.shared.hypergeometric)
  func agreesWithSciPy(_ expected: Reference.Hypergeometric) {
    let distribution = Hypergeometric(
      population: expected.population, marked: expected.marked, drawn: expected.drawn)
    expectClose(distribution.mean, expected.mean)
    #expect(
      distribution.quantile(0.025) == expected.range[0] && distribution.quantile(0.975) == expected.range[1])
    for (count, survival) in zip(expected.counts, expected.survival) {
      expectProbability(distribution.survival(from: count), survival, "\(expected.testDescription), \(count)")
    }
    expectClose(distribution.mean(of: Double.init), expected.mean)
  }

  /// Two sets of which one is a random one: the overlaps of 20,000 seeded permutations.
  @Test func overlapsOfPermutationsHaveThisDistribution() {
    let distribution = Hypergeometric(population: 60, marked: 12, drawn: 9)
    var stream = RandomStream(seed: 7, purpose: .test)
    let overlaps = (0..<20_000).map { _ in
      let order = stream.permutation(of: 60)
      return (0..<9).count { order[$0] < 12 }
    }
    for count in 0...6 {
      let share = Double(overlaps.count { $0 >= count }) / 20_000
      let expected = distribution.survival(from: count)
      // Five standard errors of a share.
      #expect(abs(share - expected) <= 5 * (expected * (1 - expected) / 20_000).squareRoot(), "\(count)")
    }
    #expect(overlaps.contains { $0 >= 5 })
  }

  @Test func nothingIsLeftToChanceAtTheEnds() {
    let all = Hypergeometric(population: 8, marked: 8, drawn: 3)
    #expect(all.survival(from: 3) == 1 && all.survival(from: 4) == 0 && all.quantile(0.5) == 3)
    #expect(Hypergeometric(population: 8, marked: 0, drawn: 3).quantile(0.975) == 0)
    #expect(Hypergeometric(population: 1, marked: 1, drawn: 1).survival(from: 1) == 1)
    // At least two of three must be among six of seven.
    #expect(Hypergeometric(population: 7, marked: 6, drawn: 3).survival(from: 2) == 1)
  }
}
