import Foundation
import Statistics
import TestSupport
import Testing

/// Tests/Fixtures/Statistics/statistics.json, which tools/reference/statistics_fixtures.py writes. A number's
/// list is [inputs..., results...] in the order of that script.
struct Reference: Decodable, Sendable {
  let distributions: [String: [[Double]]]
  let kolmogorov: [Kolmogorov]
  let differences: [Differences]
  let pairs: [Pair]
  let ranks: Ranks
  let quantiles: Quantiles
  let counts: Counts
  let trends: [Trend]
  let holm: [Holm]
  let bootstrap: [Bootstrap]
  let calibration: [Calibration]
  let temperatures: [Temperature]
  let hypergeometric: [Hypergeometric]
  let series: [String: [Double]]

  struct Kolmogorov: Decodable, Sendable {
    let n: Int
    let x, sf: Double
  }
  struct Differences: Decodable, Sendable, CustomTestStringConvertible {
    let series: String
    let t, interval, interval_80, wilcoxon: [Double]?
    let dz, sign_flip: Double?
    let equivalence: [Equivalence]
    var testDescription: String { series }
  }
  struct Equivalence: Decodable, Sendable {
    let margin: Double
    let p: Double?
  }
  struct Pair: Decodable, Sendable, CustomTestStringConvertible {
    let a, b: String
    let paired: Bool
    let ks: [Double]
    let wasserstein, cliffs_delta: Double
    let spearman: [Double]?
    let kendall: Double?
    var testDescription: String { "\(a) \(b)" }
  }
  struct Hypergeometric: Decodable, Sendable, CustomTestStringConvertible {
    let population, marked, drawn: Int
    let mean: Double
    let range, counts: [Int]
    let survival: [Double]
    var testDescription: String { "\(drawn) of \(population), \(marked) marked" }
  }
  struct Ranks: Decodable, Sendable { let values, ranks: [Double] }
  struct Quantiles: Decodable, Sendable {
    let sorted: [Double]
    let points: [[Double]]
  }
  struct Counts: Decodable, Sendable {
    let contingency: [Contingency]
    let goodness: [Goodness]
  }
  struct Contingency: Decodable, Sendable {
    let table: [[Double]]
    let test: [Double]?
    let degrees: Int?
  }
  struct Goodness: Decodable, Sendable { let observed, expected, test: [Double] }
  struct Trend: Decodable, Sendable {
    let rows: [[Double]]
    let test: [Double]
  }
  struct Holm: Decodable, Sendable { let p, adjusted: [Double] }
  struct Bootstrap: Decodable, Sendable {
    let series: String
    let clusters: Int
    let level, sd: Double
    let within: Bool
    let interval: [Double]
  }
  struct Calibration: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let confidence: [Double]
    let correct: [Int]
    let binnings: [Bins]
    var testDescription: String { name }
  }
  struct Bins: Decodable, Sendable {
    let kind: String
    let count: Int
    let bins: [[Double]]
    let ece: Double
  }
  struct Temperature: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let classes: Int
    let logits: [Float]
    let labels: [Int32]
    let temperature: Double?
    var testDescription: String { name }
  }

  static let shared: Reference = {
    let data = try! Data(contentsOf: URL(fileURLWithPath: fixture("Statistics/statistics.json")))
    return try! JSONDecoder().decode(Reference.self, from: data)
  }()
}

/// Expects the value within a relative 1e-9, and 1e-12 absolute where it may be near 0.
func expectClose(
  _ actual: Double, _ expected: Double, absolute: Double = 1e-12, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    abs(actual - expected) <= max(1e-9 * abs(expected), absolute), "\(actual), not \(expected) \(comment)",
    sourceLocation: sourceLocation)
}

/// Expects a probability within a relative 1e-9, however small it is (down to where Double loses digits).
func expectProbability(
  _ actual: Double, _ expected: Double, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(0...1 ~= actual, sourceLocation: sourceLocation)
  expectClose(actual, expected, absolute: 1e-300, comment, sourceLocation: sourceLocation)
}

/// Expects statistic and p-value, or neither.
func expectTest(
  _ actual: TestResult?, _ expected: [Double]?, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let actual, let expected else {
    #expect(actual == nil && expected == nil, sourceLocation: sourceLocation)
    return
  }
  expectClose(actual.statistic, expected[0], "(statistic)", sourceLocation: sourceLocation)
  expectProbability(actual.pValue, expected[1], "(p)", sourceLocation: sourceLocation)
}

/// Expects the number, or none.
func expectOptional(
  _ actual: Double?, _ expected: Double?, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let actual, let expected else {
    #expect(actual == nil && expected == nil, sourceLocation: sourceLocation)
    return
  }
  expectClose(actual, expected, absolute: 1e-15, sourceLocation: sourceLocation)
}
