import Statistics

/// How far standard and robust networks agree on which samples have high and low values of a measure, against how far
/// networks of one kind agree that differ in their seed only. Written as JSON with snake_case keys.
///
/// If a robust network's values were a monotone map of a standard one's plus the noise of seeds, the two kinds would agree
/// up to the ceiling. For rank correlations it is the geometric mean of those within both kinds (Spearman's correction for
/// attenuation); for Jaccard indices, for which that is too high, the lower one of both.
public struct Agreement: Sendable, Equatable, Codable {
  /// Spearman's rank correlation.
  public let rankCorrelation: Comparison
  /// Jaccard index of the tenths of samples with the highest values.
  public let top: Comparison
  /// Jaccard index of the tenths of samples with the lowest values.
  public let bottom: Comparison
  /// The Jaccard index expected of two random tenths.
  public let chance: Double

  /// One index of agreement, in means over pairs of networks.
  public struct Comparison: Sendable, Equatable, Codable {
    /// Between standard and robust networks of different seeds; of the same seed if there is one only.
    public let between: Double
    /// Between standard networks of different seeds; nil with one.
    public let withinStandard: Double?
    /// Between robust networks of different seeds; nil with one.
    public let withinRobust: Double?
    /// See ``Agreement``; nil if one of the two is missing, or negative where their mean is taken.
    public let ceiling: Double?
    /// ``between`` minus ``ceiling``.
    public let excess: Double?
    /// 95 % interval of ``excess`` by the jackknife over seeds and the t distribution (Tukey, 1958); nil with fewer than three
    /// seeds.
    public let excessInterval: Interval?

    enum CodingKeys: String, CodingKey {
      case between, ceiling, excess
      case withinStandard = "within_standard"
      case withinRobust = "within_robust"
      case excessInterval = "excess_interval"
    }
  }

  enum CodingKeys: String, CodingKey {
    case rankCorrelation = "rank_correlation"
    case top, bottom, chance
  }

  /// Compares the values of a measure, (seeds, samples) each.
  init(standard: [[Double]], robust: [[Double]]) {
    let ranks = (standard + robust).map(averageRanks)
    let samples = ranks[0].count
    let tenth = max(1, samples / 10)
    func members(_ isTop: Bool) -> [Set<Int>] {
      ranks.map { ranks in
        Set(ranks.indices.sorted { isTop ? ranks[$0] > ranks[$1] : ranks[$0] < ranks[$1] }.prefix(tenth))
      }
    }
    func jaccard(_ sets: [Set<Int>]) -> Comparison {
      Self.compare(seeds: standard.count, isCorrelation: false) { i, j in
        let common = Double(sets[i].intersection(sets[j]).count)
        return common / (2 * Double(tenth) - common)
      }
    }
    rankCorrelation = Self.compare(seeds: standard.count, isCorrelation: true) {
      correlation(ranks[$0], ranks[$1]) ?? 0
    }
    top = jaccard(members(true))
    bottom = jaccard(members(false))
    let share = Double(tenth) / Double(samples)
    chance = share / (2 - share)
  }

  /// Means of an index of two networks over seeds; networks 0 ..< seeds are standard, the others robust.
  private static func compare(
    seeds: Int, isCorrelation: Bool, _ index: (Int, Int) -> Double
  ) -> Comparison {
    var matrix = [[Double]](repeating: [Double](repeating: 1, count: 2 * seeds), count: 2 * seeds)
    for i in 0..<2 * seeds {
      for j in i + 1..<2 * seeds {
        matrix[i][j] = index(i, j)
        matrix[j][i] = matrix[i][j]
      }
    }
    func means(without left: Int?) -> Means {
      Means(matrix, (0..<seeds).filter { $0 != left }, isCorrelation: isCorrelation)
    }
    let all = means(without: nil)
    let pseudoValues = (0..<seeds).compactMap { seed -> Double? in
      guard seeds > 2, let excess = all.excess, let rest = means(without: seed).excess else { return nil }
      return Double(seeds) * excess - Double(seeds - 1) * rest
    }
    return Comparison(
      between: all.between, withinStandard: all.standard, withinRobust: all.robust, ceiling: all.ceiling,
      excess: all.excess,
      excessInterval: pseudoValues.count == seeds && seeds > 2 ? tInterval(pseudoValues) : nil)
  }

  /// Means over some seeds.
  private struct Means {
    let between: Double
    let standard: Double?
    let robust: Double?
    let isCorrelation: Bool

    init(_ matrix: [[Double]], _ seeds: [Int], isCorrelation: Bool) {
      let count = matrix.count / 2
      let others = seeds.flatMap { i in seeds.filter { $0 != i }.map { (i, $0) } }
      between =
        others.isEmpty ? matrix[seeds[0]][count + seeds[0]] : mean(others.map { matrix[$0][count + $1] })
      standard = others.isEmpty ? nil : mean(others.map { matrix[$0][$1] })
      robust = others.isEmpty ? nil : mean(others.map { matrix[count + $0][count + $1] })
      self.isCorrelation = isCorrelation
    }

    var ceiling: Double? {
      guard let standard, let robust else { return nil }
      guard isCorrelation else { return min(standard, robust) }
      return standard >= 0 && robust >= 0 ? (standard * robust).squareRoot() : nil
    }
    var excess: Double? { ceiling.map { between - $0 } }
  }
}

/// Pearson's correlation, in [-1, 1]; nil if one series is constant.
func correlation(_ a: [Double], _ b: [Double]) -> Double? {
  let (meanA, meanB) = (mean(a), mean(b))
  var (ab, aa, bb) = (0.0, 0.0, 0.0)
  for (x, y) in zip(a, b) {
    ab += (x - meanA) * (y - meanB)
    aa += (x - meanA) * (x - meanA)
    bb += (y - meanB) * (y - meanB)
  }
  let scale = (aa * bb).squareRoot()
  return scale > 0 ? ab / scale : nil
}
