/// A closed range of plausible values.
public struct Interval: Sendable, Equatable, Codable {
  /// The ends of the interval; `lower` is not above `upper`.
  public let lower, upper: Double

  /// Creates the interval from `lower` to `upper`.
  public init(lower: Double, upper: Double) {
    (self.lower, self.upper) = (lower, upper)
  }
}

/// The outcome of a hypothesis test.
public struct TestResult: Sendable, Equatable, Codable {
  /// The test's statistic; the function that made it says which.
  public let statistic: Double
  /// The probability, if the null hypothesis holds, of a statistic at least as extreme; in [0, 1].
  public let pValue: Double

  /// Creates a result.
  public init(statistic: Double, pValue: Double) {
    (self.statistic, self.pValue) = (statistic, pValue)
  }

  enum CodingKeys: String, CodingKey {
    case statistic
    case pValue = "p_value"
  }
}
