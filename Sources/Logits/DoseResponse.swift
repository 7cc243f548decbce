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

  /// The claim that the gap falls with the radius; nil with fewer than three radii above 0. Standard networks are left out:
  /// that they differ from adversarially trained ones says nothing about the radius.
  public var claim: Claim? {
    let trained = doses.filter { $0.epsilon > 0 }
    guard Set(trained.map(\.epsilon)).count >= 3,
      let trend = spearman(trained.map(\.epsilon), trained.map(\.logitGap))
    else { return nil }
    // With fewer networks the approximation of p is poor.
    let isEnough = trained.count >= 8
    let falls = isEnough && trend.pValue < 0.05
    return Claim(
      id: "C1c", statement: "The larger the radius of AT, the smaller the gap",
      measure: "rank correlation of radius and mean logit gap over \(trained.count) networks with AT",
      value: trend.statistic, interval: nil, pValue: trend.pValue,
      verdict: falls ? (trend.statistic < 0 ? .consistent : .inconsistent) : .undecided,
      reason: isEnough ? "p below .05: \(falls ? "yes" : "no")" : "needs at least 8 networks")
  }
}
