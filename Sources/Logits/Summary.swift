import Statistics

/// How the values of one measure are spread over the samples.
public struct Distribution: Sendable, Equatable, Codable {
  /// The arithmetic mean.
  public let mean: Double
  /// The standard deviation of the samples themselves (divided by N, as numpy.std).
  public let standardDeviation: Double
  /// Quantiles, linearly interpolated between neighbours (numpy's default).
  public let quantiles: Quantiles

  /// Quantiles by percent.
  public struct Quantiles: Sendable, Equatable, Codable {
    /// The value below which 5, 10, 25, 50, 75, 90 or 95 % of the samples lie.
    public let p5, p10, p25, p50, p75, p90, p95: Double
  }

  enum CodingKeys: String, CodingKey {
    case mean
    case standardDeviation = "standard_deviation"
    case quantiles
  }

  /// Describes `values`, which must not be empty.
  public init(_ values: [Double]) {
    var values = values
    sort(&values)
    self.init(ascending: values[...])
  }

  /// - Parameter values: In ascending order, not empty.
  init(ascending values: ArraySlice<Double>) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    func percentile(_ percent: Double) -> Double { quantile(values, percent / 100) }
    self.mean = mean
    standardDeviation = (squares / count).squareRoot()
    quantiles = Quantiles(
      p5: percentile(5), p10: percentile(10), p25: percentile(25), p50: percentile(50), p75: percentile(75),
      p90: percentile(90), p95: percentile(95))
  }
}

/// The measures of a whole table. Written as JSON with snake_case keys.
public struct Summary: Sendable, Equatable, Codable {
  /// The number of samples.
  public let sampleCount: Int
  /// The number of classes.
  public let classCount: Int
  /// The share of correct predictions in [0, 1]; nil without labels.
  public let accuracy: Double?
  /// The spread of each measure; without labels there is no margin.
  public let measures: [Measure: Distribution]

  enum CodingKeys: String, CodingKey {
    case sampleCount = "sample_count"
    case classCount = "class_count"
    case accuracy, measures
  }

  /// Summarises `table`.
  public init(of table: LogitTable) {
    let measures = table.measures()
    sampleCount = table.sampleCount
    classCount = table.classCount
    accuracy = measures.isCorrect.map(share)
    self.measures = Measure.allCases.reduce(into: [:]) { result, measure in
      result[measure] = measures.values(measure).map { Distribution($0) }
    }
  }

  /// A table for people: one line per measure.
  public var text: String {
    let head = "samples \(sampleCount), classes \(classCount)"
    let title = head + (accuracy.map { ", accuracy \(percent($0))" } ?? "")
    let rows = Measure.allCases.compactMap { measure in
      measures[measure].map { spread in
        let q = spread.quantiles
        let numbers = [spread.mean, spread.standardDeviation, q.p5, q.p25, q.p50, q.p75, q.p95]
        return [measure.rawValue] + numbers.map(decimal)
      }
    }
    return title + "\n" + aligned([["measure", "mean", "SD", "5 %", "25 %", "50 %", "75 %", "95 %"]] + rows)
  }
}

extension LogitTable {
  /// The measures of the whole table.
  public func summary() -> Summary { Summary(of: self) }
}

/// The share of true values, in [0, 1].
func share(_ values: [Bool]) -> Double {
  Double(values.count { $0 }) / Double(values.count)
}
