import FileFormats
import Foundation
import Logits
import Randomness
import Statistics
import Testing

@Suite struct LogitStudyTests {
  /// Tables of random logits; `factor` scales them.
  static func tables(_ seeds: Int, factor: Float, samples: Int = 200, classes: Int = 5) throws -> [LogitTable]
  {
    try (0..<seeds).map { seed in
      var stream = RandomStream(seed: UInt64(seed), purpose: .test, epoch: UInt32(factor * 8))
      let labels = (0..<samples).map { Int32($0 % classes) }
      let logits = (0..<samples * classes).map { i in
        factor * (Float(stream.nextNormal()) + (i % classes == (i / classes) % classes ? 2 : 0))
      }
      return try LogitTable(logits: logits, classCount: classes, labels: labels)
    }
  }

  static let study = try! LogitStudy(
    standard: tables(4, factor: 2), robust: tables(4, factor: 1),
    features: ["row": (0..<200).map(Double.init)])

  @Test func effectsAreThoseOfTheirDefinitions() throws {
    let (a, b) = try (Self.tables(4, factor: 2), Self.tables(4, factor: 1))
    let effect = try #require(Self.study.effects[.all]?[.logitGap])
    let differences = zip(a, b).map { a, b in
      zip(a.measures().logitGap, b.measures().logitGap).map { $1 - $0 }
    }
    let means = differences.map { $0.reduce(0, +) / 200 }
    #expect(zip(effect.differences, means).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(effect.pairedT == pairedTTest(effect.differences))
    #expect(effect.signFlipP == 0.125)
    #expect(effect.tInterval == tInterval(effect.differences))
    #expect(abs(effect.robustMean - effect.standardMean - effect.difference) < 1e-12)
    #expect(effect.wilcoxonP == differences.compactMap { wilcoxonSignedRank($0)?.pValue }.max())
    let interval = try #require(effect.bootstrapInterval)
    #expect(interval.lower < effect.difference && effect.difference < interval.upper)
  }

  /// A resample's images are the same for all seeds; of jointly correct ones those count together that pairs share.
  @Test(arguments: [60, 200]) func imagesAreRedrawnForAllSeedsTogether(samples: Int) throws {
    let (a, b) = try (
      Self.tables(3, factor: 2, samples: samples), Self.tables(3, factor: 1, samples: samples)
    )
    let study = try LogitStudy(standard: a, robust: b)
    let pairs = zip(a, b).map { ($0.measures(), $1.measures()) }
    let differences = pairs.map { a, b in zip(a.logitGap, b.logitGap).map { $1 - $0 } }
    let members = pairs.map { a, b in zip(a.isCorrect!, b.isCorrect!).map { $0 && $1 } }
    #expect(Set(members).count == 3)
    let bootstrap = ClusterBootstrap()
    let all = try #require(study.effects[.all]?[.logitGap]?.bootstrapInterval)
    #expect(all == bootstrap.jointInterval(differences))
    #expect(all != bootstrap.interval(differences))
    let joint = try #require(study.effects[.jointlyCorrect]?[.logitGap]?.bootstrapInterval)
    #expect(joint == bootstrap.jointInterval(differences, members: members))
    // One pair does not show how networks vary.
    let one = try LogitStudy(standard: [a[0]], robust: [b[0]])
    #expect(one.effects.values.allSatisfy { $0.values.allSatisfy { $0.bootstrapInterval == nil } })
  }

  @Test func holmCorrectsOverTheMeasuresOfASelection() throws {
    let effects = try #require(Self.study.effects[.all])
    #expect(Set(effects.keys) == Set(Measure.allCases).subtracting([.gapGradient, .localRadius]))
    let adjusted = effects.values.map { ($0.pairedT!.pValue, $0.holmP!) }
    #expect(adjusted.allSatisfy { $0.0 <= $0.1 && $0.1 <= 1 })
    #expect(adjusted.contains { abs($0.1 - 9 * $0.0) < 1e-12 || $0.1 == 1 })
  }

  @Test func halvedLogitsDifferInScaleAlone() throws {
    let standard = try Self.tables(3, factor: 2)
    let study = try LogitStudy(standard: standard, robust: standard.map { $0.divided(by: 2) })
    let all = try #require(study.effects[.all]?[.logitGap])
    #expect(abs(all.robustMean - all.standardMean / 2) < 1e-6)
    let matched = try #require(study.effects[.temperatureMatched]?[.logitGap])
    #expect(abs(matched.difference) < 1e-4)
    let agreement = try #require(study.agreement[.logitGap]?.rankCorrelation)
    #expect(agreement.withinStandard == agreement.withinRobust)
    #expect(study.claims.first { $0.id == "C1b" }?.verdict == .consistent)
    #expect(study.claims.first { $0.id == "C2a" }?.verdict != .consistent)
  }

  @Test func growingGapsContradictTheClaim() throws {
    let study = try LogitStudy(
      standard: try Self.tables(4, factor: 1), robust: try Self.tables(4, factor: 2))
    for id in ["C1a", "C1b"] { #expect(study.claims.first { $0.id == id }?.verdict == .inconsistent) }
  }

  @Test func fewSeedsDecideNothing() throws {
    let study = try LogitStudy(standard: Self.tables(2, factor: 2), robust: Self.tables(2, factor: 1))
    #expect(study.claims.allSatisfy { [.undecided, .descriptive].contains($0.verdict) })
  }

  @Test func unrelatedNetworksAgreeByChance() throws {
    let study = try LogitStudy(
      standard: try Self.tables(3, factor: 1, samples: 4000),
      robust: try Self.tables(3, factor: 2, samples: 4000))
    let agreement = try #require(study.agreement[.confidence])
    // Random logits: no correlation within or between kinds, Jaccard indices at chance.
    #expect(abs(agreement.rankCorrelation.between) < 0.03)
    #expect(abs(agreement.top.between - agreement.chance) < 0.015)
    #expect(abs(agreement.chance - 1.0 / 19) < 1e-4)
    for index in [agreement.top, agreement.bottom] {
      // Of six pairs that share what chance gives them, the one that shares least.
      #expect(try #require(index.chanceP) > 0.01)
    }
    let halved = try LogitStudy(
      standard: try Self.tables(1, factor: 1), robust: try Self.tables(1, factor: 1).map { $0.divided(by: 2) }
    )
    #expect(try #require(halved.agreement[.confidence]?.top.chanceP) < 1e-20)
    #expect(halved.agreement[.confidence]?.rankCorrelation.chanceP == nil)
    let tau = try #require(study.orderings?.tauBetween)
    #expect(abs(tau) < 0.2)
  }

  /// The mean, the range and the p of chance, against seeded permutations of the samples of one network.
  @Test func chanceIsThatOfPermutations() throws {
    let (first, other) = (try Self.tables(1, factor: 2)[0], try Self.tables(1, factor: 1)[0])
    let related = zip(first.logits, other.logits).map { 0.2 * $0 + $1 }
    let tables = [first, try LogitTable(logits: related, classCount: 5, labels: first.labels)]
    let study = try LogitStudy(standard: [tables[0]], robust: [tables[1]])
    let agreement = try #require(study.agreement[.confidence])
    func top(_ table: LogitTable) -> Set<Int> {
      let values = table.measures().confidence
      return Set(values.indices.sorted { values[$0] > values[$1] }.prefix(20))
    }
    let (a, b) = (top(tables[0]), top(tables[1]))
    let observed = Double(a.intersection(b).count) / Double(a.union(b).count)
    #expect(agreement.top.between == observed)
    var stream = RandomStream(seed: 11, purpose: .test)
    let indices = (0..<4000).map { _ in
      let order = stream.permutation(of: 200)
      let common = a.count { b.contains(order[$0]) }
      return Double(common) / Double(40 - common)
    }
    let share = Double(indices.count { $0 >= observed }) / 4000
    let p = try #require(agreement.top.chanceP)
    #expect(abs(share - p) <= 5 * (p * (1 - p) / 4000).squareRoot() && p < 0.9, "\(p)")
    #expect(abs(indices.reduce(0, +) / 4000 - agreement.chance) < 0.003)
    let range = agreement.chanceInterval
    #expect(indices.count { range.lower...range.upper ~= $0 } >= 3800)
    // Steps of one shared sample are wide here: without the outermost ones it is no longer 95 %.
    #expect(indices.count { range.lower < $0 && $0 < range.upper } < 3800)
  }

  @Test func shiftFindsTheSamplesThatMoved() throws {
    // Confidence falls with the row for standard networks; rows 0 ... 9 become the least confident of the robust ones.
    let rows = 0..<100
    func table(_ gaps: [Float]) throws -> LogitTable {
      try LogitTable(
        logits: gaps.flatMap { [$0, 0, -1, -2] }, classCount: 4, labels: rows.map { Int32($0 < 10 ? 3 : 1) })
    }
    let standard = try table(rows.map { 10 - Float($0) / 20 })
    let robust = try table(rows.map { $0 < 10 ? 1 - Float($0) / 20 : 10 - Float($0) / 20 })
    let study = try LogitStudy(
      standard: [standard], robust: [robust],
      features: ["first": rows.map { $0 < 10 ? 1 : 0 }, "constant": rows.map { _ in 2 }])
    #expect(Set(study.shift.standardHigher.prefix(10).map(\.row)) == Set(0..<10))
    #expect(study.shift.composition?.standardHigher == [0, 0, 0, 10])
    #expect(study.shift.composition?.robustHigher == [0, 10, 0, 0])
    #expect(try #require(study.shift.features["first"]).test.pValue < 0.001)
    #expect(study.shift.features["constant"]?.test.pValue == 1)
    let sample = try #require(study.shift.standardHigher.first)
    #expect(sample.standardTop.map(\.index) == [0, 1, 2])
    #expect(sample.robustTop[0].probability < sample.standardTop[0].probability)
  }

  @Test func ordersOfEqualNetworksAreEqual() throws {
    let table = try Self.tables(1, factor: 1)[0]
    let study = try LogitStudy(standard: [table], robust: [table.divided(by: 3)])
    let orderings = try #require(study.orderings)
    #expect(abs(try #require(orderings.tauBetween) - 1) < 1e-12)
    #expect(
      orderings.standard == orderings.robust || orderings.standard.meanRanks == orderings.robust.meanRanks)
    let ranks = try #require(orderings.standard.meanRanks)
    for (i, row) in ranks.enumerated() {
      #expect(row[i] == 0)
      #expect(abs(row.reduce(0, +) - 10) < 1e-9)  // 1 + 2 + 3 + 4
    }
    let probabilities = try #require(orderings.standard.meanProbabilities)
    #expect(probabilities.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-9 })
  }

  @Test func aFixedOrderHasNoEntropy() throws {
    let table = try LogitTable(
      logits: (0..<50).flatMap { _ in [4, 3, 2, 1, 0] as [Float] }, classCount: 5)
    let orderings = try #require(try LogitStudy(standard: [table], robust: [table]).orderings)
    #expect(orderings.standard.topThreeEntropy == 0)
    #expect(orderings.standard.mostFrequentShare == 1)
    #expect(orderings.standard.meanProbabilities == nil)
  }

  @Test func copiesAreNoEvidence() throws {
    let (a, b) = try (Self.tables(2, factor: 2), Self.tables(2, factor: 1))
    for (standard, robust, option) in [([a[0], a[0]], b, "--standard"), (a, [b[1], b[1]], "--robust")] {
      let error = #expect(throws: TemperError.self) { try LogitStudy(standard: standard, robust: robust) }
      #expect(error?.field == option)
    }
  }

  @Test func controlsOfOtherAccuracyAreRefused() throws {
    let (a, b) = try (Self.tables(2, factor: 2), Self.tables(2, factor: 1))
    let study = try LogitStudy(standard: a, robust: b, matched: b)
    #expect(study.effects[.accuracyMatched]?[.logitGap]?.difference == 0)
    let wrong = try b.map { try LogitTable(logits: $0.logits.map { -$0 }, classCount: 5, labels: $0.labels) }
    let error = #expect(throws: TemperError.self) { try LogitStudy(standard: a, robust: b, matched: wrong) }
    #expect(error?.field == "--matched")
  }

  @Test func labelsOfAnyTableServeAll() throws {
    var (a, b) = try (Self.tables(2, factor: 2), Self.tables(2, factor: 1))
    let expected = try LogitStudy(standard: a, robust: b)
    a[0] = try LogitTable(logits: a[0].logits, classCount: 5)
    b[1] = try LogitTable(logits: b[1].logits, classCount: 5)
    let study = try LogitStudy(standard: a, robust: b)
    #expect(study.effects == expected.effects && study.standardCalibration == expected.standardCalibration)
  }

  /// Of two kinds that are one, no way to swap networks stands out.
  @Test func equalKindsHaveTheSameClasses() throws {
    let tables = try Self.tables(12, factor: 1, samples: 300)
    let pValues = try (0..<8).map { turn in
      let turned = tables[turn...] + tables[..<turn]
      let study = try LogitStudy(
        standard: Array(turned.prefix(6)), robust: (0..<6).map { Array(turned.suffix(6))[($0 + turn) % 6] })
      return try #require(study.shift.composition?.test?.pValue)
    }
    #expect(pValues.allSatisfy { ($0 * 32).rounded() == $0 * 32 && $0 > 0 })
    #expect(pValues.count { $0 < 0.05 } <= 2 && pValues.contains { $0 > 0.3 }, "\(pValues)")
  }

  @Test func refusesOtherNumbersOfNetworksAndOtherImages() throws {
    let tables = try Self.tables(2, factor: 1)
    let error = #expect(throws: TemperError.self) { try LogitStudy(standard: tables, robust: [tables[0]]) }
    #expect(error?.kind == .usage)
    var (a, b) = (tables[0], tables[1])
    a.provenance["images_sha256"] = "1"
    b.provenance["images_sha256"] = "2"
    let other = #expect(throws: TemperError.self) { try LogitStudy(standard: [a], robust: [b]) }
    #expect(other?.description.contains("different images") == true)
  }

  @Test func thousandClassesAndJSON() throws {
    let tables = try Self.tables(3, factor: 1, samples: 60, classes: 1000)
    let study = try LogitStudy(standard: tables, robust: tables.map { $0.divided(by: 2) })
    #expect(study.orderings?.standard.meanRanks == nil)
    let decoded = try JSONDecoder().decode(LogitStudy.self, from: Data(study.json().utf8))
    #expect(decoded.effects[.all]?[.logitGap] == study.effects[.all]?[.logitGap])
    #expect(decoded.claims == study.claims)
  }
}
