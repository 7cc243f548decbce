import FileFormats
import Foundation
import Logits
import Testing

/// The invariants that the protocol of the distillation experiment asks for.
@Suite struct ManipulationTests {
  static let classes = [2, 3, 4, 10, 101]
  static let all: [Manipulation] = [
    .intact, .uniformNonMax(temperature: 0.5), .uniformNonMax(temperature: 30), .permuteNonMax(seed: 1),
    .reverseNonMax,
  ]

  /// Sum of exp((z_j - z_c) / T) over j != c: the odds against the class c.
  private func odds(_ row: ArraySlice<Float>, _ c: Int32, _ temperature: Double) -> Double {
    let z = row.map(Double.init)
    return z.indices.filter { $0 != Int(c) }.reduce(0) { $0 + exp((z[$1] - z[Int(c)]) / temperature) }
  }

  @Test(arguments: classes, all) func keepTheMaximumAndItsClass(classes: Int, manipulation: Manipulation)
    throws
  {
    let table = try randomTable(samples: 60, classes: classes)
    let edited = try table.manipulated(by: manipulation)
    #expect(edited.measures().predicted == table.measures().predicted)
    #expect(edited.measures().maxLogit == table.measures().maxLogit)
    #expect(edited.labels == table.labels)
    #expect(edited.sampleIDs == table.sampleIDs)
    #expect(edited.provenance["manipulation"] == manipulation.description)
    #expect(edited.provenance["model"] == "random")
  }

  @Test func intactKeepsEveryLogit() throws {
    let table = try randomTable(samples: 20, classes: 10)
    #expect(try table.manipulated(by: .intact).logits == table.logits)
  }

  @Test(arguments: classes, [Manipulation.permuteNonMax(seed: 1), .reverseNonMax])
  func keepGapEntropyAndSortedValues(classes: Int, manipulation: Manipulation) throws {
    let table = try randomTable(samples: 60, classes: classes)
    let edited = try table.manipulated(by: manipulation)
    #expect(edited.measures().logitGap == table.measures().logitGap)
    for index in 0..<60 {
      #expect(edited.row(index).sorted() == table.row(index).sorted())
      // The terms are equal and only summed in another order.
      #expect(abs(edited.measures().entropy[index] - table.measures().entropy[index]) < 1e-12)
    }
    #expect((edited.logits == table.logits) == (classes == 2))
  }

  @Test(arguments: classes, [0.1, 1.0, 4.0, 30.0])
  func uniformKeepsTheProbabilityAtItsTemperature(classes: Int, temperature: Double) throws {
    let table = try randomTable(samples: 60, classes: classes)
    let edited = try table.manipulated(by: .uniformNonMax(temperature: temperature))
    let predicted = table.measures().predicted
    for index in 0..<60 {
      let others = edited.row(index).enumerated().filter { $0.offset != predicted[index] }.map(\.element)
      #expect(Set(others).count == 1)
      let (before, after) = (
        odds(table.row(index), predicted[index], temperature),
        odds(edited.row(index), predicted[index], temperature)
      )
      // The common logit, below 32, is rounded to Float: an error of 2^-20 at most, divided by T.
      #expect(abs(after / before - 1) < 2 * 0x1p-20 / temperature)
    }
    #expect((edited.logits == table.logits) == (classes == 2))
  }

  @Test func uniformGrowsTheGapAndEntropy() throws {
    let table = try randomTable(samples: 60, classes: 10)
    let edited = try table.manipulated(by: .uniformNonMax(temperature: 1))
    let (before, after) = (table.measures(), edited.measures())
    #expect(zip(after.logitGap, before.logitGap).allSatisfy { $0 > $1 })
    #expect(zip(after.entropy, before.entropy).allSatisfy { $0 > $1 })
  }

  /// At a large temperature the common logit becomes the mean of the non-max ones, at a small one their maximum.
  @Test(arguments: [(1e-3, 4.0), (1e12, 2.5), (1e300, 2.5)])
  func uniformHasItsLimits(temperature: Double, expected: Float) throws {
    let table = try LogitTable(logits: [1, 9, 3, 2, 4], classCount: 5)
    let edited = try table.manipulated(by: .uniformNonMax(temperature: temperature))
    // log 4 * 1e-3 below the maximum.
    #expect(edited.logits.enumerated().allSatisfy { $0.offset == 1 || abs($0.element - expected) < 2e-3 })
  }

  @Test func reverseMirrorsTheRanks() throws {
    let table = try LogitTable(logits: [1, 9, 3, 2, 4], classCount: 5)
    let edited = try table.manipulated(by: .reverseNonMax)
    #expect(edited.logits == [4, 9, 2, 3, 1])
    let twice = try edited.manipulated(by: .reverseNonMax)
    #expect(twice.logits == table.logits)
    #expect(twice.provenance["manipulation"] == "reverse_non_max, reverse_non_max")
  }

  @Test func permutationIsFixedBySeedAndSample() throws {
    let table = try randomTable(samples: 40, classes: 10)
    let edited = try table.manipulated(by: .permuteNonMax(seed: 5))
    #expect(try table.manipulated(by: .permuteNonMax(seed: 5)) == edited)
    #expect(try table.manipulated(by: .permuteNonMax(seed: 6)).logits != edited.logits)
    let rows = [31, 2, 17]
    #expect(
      try table.selecting(rows).manipulated(by: .permuteNonMax(seed: 5)).logits
        == edited.selecting(rows).logits)
    // The same logits under other ids, which differ in their low and in their high half.
    let row = Array(table.row(0))
    let copies = try LogitTable(logits: row + row + row, classCount: 10, sampleIDs: [0, 1, 1 << 32])
    let permuted = try copies.manipulated(by: .permuteNonMax(seed: 5))
    #expect(Set((0..<3).map { Array(permuted.row($0)) }).count == 3)
  }

  /// Each of the 3! orders of the non-max logits is equally likely.
  @Test func permutationHasNoBias() throws {
    let count = 6000
    let logits = (0..<count).flatMap { _ in [5, 1, 2, 3] as [Float] }
    let edited = try LogitTable(logits: logits, classCount: 4).manipulated(by: .permuteNonMax(seed: 9))
    var counts: [[Float]: Int] = [:]
    for index in 0..<count { counts[Array(edited.row(index)), default: 0] += 1 }
    #expect(counts.count == 6)
    // Chi-squared with 5 degrees of freedom: 20.5 is exceeded once in a thousand.
    #expect(counts.values.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 } < 20.5)
  }

  @Test func tiesAndExtremesKeepTheMaximum() throws {
    let big = Float.greatestFiniteMagnitude
    let table = try LogitTable(
      logits: [2, 2, 2, 1, 7, 7, big, -big, big, 0, 0, -big], classCount: 3, labels: [0, 1, 0, 0])
    for manipulation in Self.all + [.uniformNonMax(temperature: 1e-300), .uniformNonMax(temperature: 1e300)] {
      let edited = try table.manipulated(by: manipulation)
      #expect(edited.logits.allSatisfy { $0.isFinite })
      #expect(edited.measures().maxLogit == table.measures().maxLogit)
      let predicted = table.measures().predicted
      for index in 0..<4 {
        #expect(Array(edited.row(index))[Int(predicted[index])] == edited.row(index).max())
      }
    }
  }

  @Test(arguments: [0, -1, .nan, .infinity]) func refusesTemperatures(temperature: Double) throws {
    let table = try randomTable(samples: 2, classes: 3)
    let error = #expect(throws: TemperError.self) {
      try table.manipulated(by: .uniformNonMax(temperature: temperature))
    }
    #expect(error?.kind == .usage)
  }
}
