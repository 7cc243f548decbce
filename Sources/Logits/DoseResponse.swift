import Statistics

/// The logit gap over the radius that networks were trained at. Written as JSON with snake_case keys.
public struct DoseResponse: Sendable, Equatable, Codable {
  /// One network.
  public struct Dose: Sendable, Equatable, Codable {
    /// The network's run.
    public let name: String
    /// The radius in pixel units; 0 for standard training.
    public let epsilon: Double
    /// Its mean logit gap on clean images.
    public let logitGap: Double
    /// Its mean max logit minus mean logit.
    public let centredMax: Double

    enum CodingKeys: String, CodingKey {
      case name, epsilon
      case logitGap = "logit_gap"
      case centredMax = "centred_max"
    }

    /// Measures a table of clean images.
    public init(name: String, epsilon: Double, table: LogitTable) {
      let measures = table.measures()
      self.name = name
      self.epsilon = epsilon
      logitGap = mean(measures.logitGap)
      centredMax = mean(measures.centredMax)
    }
  }

  /// The networks by radius.
  public let doses: [Dose]
  /// Spearman's correlation of radius and mean logit gap, with its p; nil if one of them is constant.
  public let gapTrend: TestResult?

  enum CodingKeys: String, CodingKey {
    case doses
    case gapTrend = "gap_trend"
  }

  /// Sorts networks by radius.
  public init(_ doses: [Dose]) {
    self.doses = doses.sorted { $0.epsilon < $1.epsilon }
    gapTrend = spearman(self.doses.map(\.epsilon), self.doses.map(\.logitGap))
  }

  /// The claim that the gap falls with the radius; nil with fewer than three radii.
  public var claim: Claim? {
    guard Set(doses.map(\.epsilon)).count >= 3, let gapTrend else { return nil }
    let falls = gapTrend.pValue < 0.05
    return Claim(
      id: "C1c", statement: "The larger the radius of AT, the smaller the gap",
      measure: "rank correlation of radius and mean logit gap over \(doses.count) networks",
      value: gapTrend.statistic, interval: nil, pValue: gapTrend.pValue,
      verdict: falls ? (gapTrend.statistic < 0 ? .consistent : .inconsistent) : .undecided,
      reason: "p below .05: \(falls ? "yes" : "no")")
  }
}
