import Foundation
import Logits
import Testing

@Suite struct MeasuresTests {
  /// Softmax without any care for overflow, for moderate logits.
  private func probabilities(_ row: ArraySlice<Float>) -> [Double] {
    let powers = row.map { exp(Double($0)) }
    return powers.map { $0 / powers.reduce(0, +) }
  }

  @Test(arguments: [2, 3, 10, 101]) func agreeWithTheirDefinitions(classes: Int) throws {
    let table = try randomTable(samples: 50, classes: classes)
    let measures = table.measures()
    for index in 0..<50 {
      let z = table.row(index).map(Double.init)
      let p = probabilities(table.row(index))
      let sorted = z.sorted()
      let label = Int(table.labels![index])
      // Sums of at most 101 terms near 1 in Double.
      let bound = 1e-12
      #expect(measures.maxLogit[index] == sorted.last)
      #expect(abs(measures.centredMax[index] - (sorted.last! - z.reduce(0, +) / Double(classes))) < bound)
      #expect(measures.logitGap[index] == sorted[classes - 1] - sorted[classes - 2])
      #expect(abs(measures.confidence[index] - p.max()!) < bound)
      #expect(abs(measures.entropy[index] + p.reduce(0) { $0 + $1 * log($1) }) < bound)
      let others = z.indices.filter { $0 != label }.map { z[$0] }
      #expect(measures.margin![index] == z[label] - others.max()!)
      #expect(z[Int(measures.predicted[index])] == sorted.last)
      #expect(measures.isCorrect![index] == (Int(measures.predicted[index]) == label))
      #expect(measures.isCorrect![index] == (measures.margin![index] > 0))
    }
  }

  @Test func tiesGoToTheLowestClass() throws {
    let table = try LogitTable(logits: [1, 3, 3, 2, 2, 2], classCount: 3, labels: [2, 0])
    let measures = table.measures()
    #expect(measures.predicted == [1, 0])
    #expect(measures.logitGap == [0, 0])
    #expect(measures.margin == [0, 0])
    #expect(measures.isCorrect == [false, true])
    #expect(abs(measures.entropy[1] - log(3)) < 1e-15)
  }

  @Test func extremeLogitsStayFinite() throws {
    let big = Float.greatestFiniteMagnitude
    let table = try LogitTable(logits: [big, -big, big, big, 1000, 0, -1000, -1001], classCount: 2)
    let measures = table.measures()
    #expect(measures.confidence[0] == 1)
    #expect(measures.entropy[0] == 0)
    #expect(measures.confidence[1] == 0.5)
    #expect(measures.confidence[2] == 1)
    #expect(abs(measures.confidence[3] - 1 / (1 + exp(-1))) < 1e-15)
    for measure in [Measure.maxLogit, .centredMax, .logitGap, .confidence, .entropy] {
      #expect(try #require(measures.values(measure)).allSatisfy { $0.isFinite })
    }
    // Two classes, no labels, no gradients.
    for measure in [Measure.thirdGap, .margin, .crossEntropy, .excess, .gapGradient, .localRadius] {
      #expect(measures.values(measure) == nil)
    }
  }

  @Test func entropiesOfConfidentSamplesKeepTheirDigits() throws {
    let entropies = try LogitTable(logits: [0, 40, 0, 0, 0, 80], classCount: 3).measures().entropy
    for (entropy, gap) in zip(entropies, [40.0, 80]) {
      #expect(abs(entropy / (2 * exp(-gap) * (1 + gap)) - 1) < 1e-12)
    }
  }

  @Test func gapsAndRanksOfEveryClass() throws {
    let table = try LogitTable(logits: [1, 4, 2, 0, 3, 3, 3, 1], classCount: 4)
    #expect(table.gaps(to: 1) == [0, 0] && table.gaps(to: 2) == table.measures().logitGap)
    #expect(table.gaps(to: 3) == [3, 0] && table.gaps(to: 4) == [4, 2])
    #expect(table.ranks() == [[2, 0, 1, 3], [0, 1, 2, 3]])
  }

  @Test func summaryOfKnownNumbers() throws {
    // Gaps 0, 1, ..., 10 and maxima 0.
    let table = try LogitTable(
      logits: (0...10).flatMap { [0, -Float($0)] }, classCount: 2, labels: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    let summary = table.summary()
    #expect(summary.sampleCount == 11)
    #expect(summary.accuracy == 9.0 / 11)
    let gap = try #require(summary.measures[.logitGap])
    #expect(gap.mean == 5)
    #expect(abs(gap.standardDeviation - 10.0.squareRoot()) < 1e-14)
    let q = gap.quantiles
    #expect([q.p5, q.p10, q.p25, q.p50, q.p75, q.p90, q.p95] == [0.5, 1, 2.5, 5, 7.5, 9, 9.5])
    #expect(summary.text.contains("accuracy 81.82 %"))
    #expect(summary.text.split(separator: "\n").count == 10)
  }

  @Test func summaryOfOneSampleWithoutLabels() throws {
    let summary = try LogitTable(logits: [1, 0.5], classCount: 2).summary()
    #expect(summary.accuracy == nil)
    #expect(summary.measures[.margin] == nil)
    #expect(summary.measures[.logitGap]?.quantiles.p95 == 0.5)
    #expect(summary.measures[.logitGap]?.standardDeviation == 0)
    let json = try summary.json()
    #expect(json.contains("\"standard_deviation\""))
    #expect(try JSONDecoder().decode(Summary.self, from: Data(json.utf8)) == summary)
  }
}
