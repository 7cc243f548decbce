import Statistics

/// How one measure differs between standard and adversarially trained ("robust") networks, over pairs of networks that
/// share a seed. Differences are robust minus standard. Written as JSON with snake_case keys.
///
/// The seed is the unit of replication: tests over seeds say whether the difference would be seen with new seeds; tests over
/// the samples of one pair only speak about that pair.
public struct Effect: Sendable, Equatable, Codable {
  /// The mean over seeds of the standard networks' means.
  public let standardMean: Double
  /// The mean over seeds of the robust networks' means.
  public let robustMean: Double
  /// The mean difference of each pair.
  public let differences: [Double]
  /// The mean of ``differences``.
  public let difference: Double
  /// 95 % interval of the difference by the paired t distribution over seeds; nil with one pair.
  public let tInterval: Interval?
  /// 95 % percentile interval of the difference: seeds and samples are drawn with replacement, the same samples for all seeds,
  /// since all networks are measured on one set of images; nil with one pair. With few seeds it is too narrow: see
  /// ``tInterval``.
  public let bootstrapInterval: Interval?
  /// The paired t test over seeds; nil with one pair or equal differences.
  public let pairedT: TestResult?
  /// The exact two-sided p of all sign flips over seeds: at least 2 to the power 1 - seeds.
  public let signFlipP: Double
  /// ``pairedT``'s p, corrected by Holm for all measures of its group; nil where there is none.
  public internal(set) var holmP: Double?
  /// The mean over pairs of the samples' mean difference over its standard deviation (Cohen's d_z); nil if constant.
  public let cohenDz: Double?
  /// The mean over pairs of Cliff's delta: P(robust > standard) - P(robust < standard) for unpaired samples.
  public let cliffsDelta: Double
  /// The mean over pairs of the share of samples whose robust value is below the standard one.
  public let shareRobustLower: Double
  /// The largest p over pairs of Wilcoxon's signed rank test over samples; nil if a pair has no difference.
  public let wilcoxonP: Double?
  /// The mean over pairs of the Kolmogorov-Smirnov distance of the distributions, in [0, 1].
  public let kolmogorovSmirnov: Double
  /// The mean over pairs of the Wasserstein distance of the distributions, in the measure's unit.
  public let wasserstein: Double

  enum CodingKeys: String, CodingKey {
    case differences, difference, wasserstein
    case standardMean = "standard_mean"
    case robustMean = "robust_mean"
    case tInterval = "t_interval"
    case bootstrapInterval = "bootstrap_interval"
    case pairedT = "paired_t"
    case signFlipP = "sign_flip_p"
    case holmP = "holm_p"
    case cohenDz = "cohen_dz"
    case cliffsDelta = "cliffs_delta"
    case shareRobustLower = "share_robust_lower"
    case wilcoxonP = "wilcoxon_p"
    case kolmogorovSmirnov = "kolmogorov_smirnov"
  }

  /// Collects what is known of each pair; pairs may differ in their samples.
  /// - Parameter means: What resampled mean differences are drawn from; nil with one pair.
  init(_ pairs: [PairedValues], _ means: ClusterBootstrap.JointMeans?) {
    differences = pairs.map(\.difference)
    difference = mean(differences)
    standardMean = mean(pairs.map(\.standard.mean))
    robustMean = mean(pairs.map(\.robust.mean))
    tInterval = Statistics.tInterval(differences)
    bootstrapInterval = means.map { ClusterBootstrap().interval(of: $0) }
    // Differences that are equal but for rounding have no test.
    pairedT = pairedTTest(differences).flatMap { $0.statistic.isFinite ? $0 : nil }
    signFlipP = signFlipTest(differences)
    let effects = pairs.compactMap(\.cohenDz).filter(\.isFinite)
    cohenDz = effects.count == pairs.count ? mean(effects) : nil
    cliffsDelta = mean(pairs.map(\.distances.cliffsDelta))
    shareRobustLower = mean(pairs.map(\.shareRobustLower))
    let tests = pairs.compactMap(\.wilcoxonP)
    wilcoxonP = tests.count == pairs.count ? tests.max() : nil
    kolmogorovSmirnov = mean(pairs.map(\.distances.kolmogorovSmirnov))
    wasserstein = mean(pairs.map(\.distances.wasserstein))
  }

  /// The effects on every measure that all pairs have, with Holm's correction over them.
  static func all(
    _ pairs: [[Measure: PairedValues]], _ means: [Measure: ClusterBootstrap.JointMeans]
  ) -> [Measure: Effect] {
    var effects: [Measure: Effect] = [:]
    for measure in Measure.allCases {
      let values = pairs.compactMap { $0[measure] }
      if values.count == pairs.count { effects[measure] = Effect(values, means[measure]) }
    }
    let tested = Measure.allCases.filter { effects[$0]?.pairedT != nil }
    for (measure, p) in zip(tested, holm(tested.map { effects[$0]!.pairedT!.pValue })) {
      effects[measure]!.holmP = p
    }
    return effects
  }
}

/// The arithmetic mean; NaN of nothing.
func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
