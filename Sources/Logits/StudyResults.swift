/// Everything that was measured about the logits of standard and adversarially trained networks: what a report shows. Written
/// as JSON with snake_case keys.
public struct StudyResults: Sendable, Codable {
  /// The networks' names, in the order of their seeds.
  public let standardNames: [String]
  /// The adversarially trained networks' names, in the same order.
  public let robustNames: [String]
  /// Logits of clean images.
  public let clean: LogitStudy
  /// Logits of attacked images; each network is attacked on its own.
  public let attacked: LogitStudy?
  /// Checks of the theory on the standard networks; empty if they were not made.
  public let standardTheory: [TheoryCheck]
  /// Checks of the theory on the robust networks.
  public let robustTheory: [TheoryCheck]
  /// How far attacked margins are those of locally linear networks; nil if it was not measured.
  public let linear: LinearStudy?
  /// Networks of other radii, if there are any.
  public let dose: DoseResponse?
  /// Everything that the figures were measured with, by name.
  public let settings: [String: String]
  /// What the figures say about each claim, by the claims' names.
  public let claims: [Claim]

  enum CodingKeys: String, CodingKey {
    case clean, attacked, linear, dose, settings, claims
    case standardNames = "standard_names"
    case robustNames = "robust_names"
    case standardTheory = "standard_theory"
    case robustTheory = "robust_theory"
  }

  /// Collects results, and the claims of all of them.
  public init(
    standardNames: [String], robustNames: [String], clean: LogitStudy, attacked: LogitStudy? = nil,
    standardTheory: [TheoryCheck] = [], robustTheory: [TheoryCheck] = [], linear: LinearStudy? = nil,
    dose: DoseResponse? = nil, settings: [String: String] = [:]
  ) {
    self.standardNames = standardNames
    self.robustNames = robustNames
    self.clean = clean
    self.attacked = attacked
    self.standardTheory = standardTheory
    self.robustTheory = robustTheory
    self.linear = linear
    self.dose = dose
    self.settings = settings
    claims =
      (clean.claims + Claim.theory(standard: standardTheory, robust: robustTheory, study: clean)
      + (dose?.claim.map { [$0] } ?? [])).sorted { $0.id < $1.id }
  }
}
