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
  /// The mean Jaccard index of two tenths if samples are matched at random: exact, by the hypergeometric distribution of how
  /// many samples they share.
  public let chance: Double
  /// The central 95 % of that distribution, for one pair of networks.
  public let chanceInterval: Interval

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
    /// Of a Jaccard index: the probability of as many shared samples or more if samples are matched at random, exact, the
    /// largest one over the pairs of ``between``. nil of a correlation.
    public let chanceP: Double?

    enum CodingKeys: String, CodingKey {
      case between, ceiling, excess
      case withinStandard = "within_standard"
      case withinRobust = "within_robust"
      case excessInterval = "excess_interval"
      case chanceP = "chance_p"
    }
  }

  enum CodingKeys: String, CodingKey {
    case rankCorrelation = "rank_correlation"
    case top, bottom, chance
    case chanceInterval = "chance_interval"
  }

  /// Compares the values of a measure. Of N samples, 4 N bytes are kept for each network.
  init(
    standard: [AlignedSamples], robust: [AlignedSamples], _ values: (AlignedSamples) throws -> [Double]
  ) throws {
    let ranks = try (standard + robust).map { doubledRanks(try values($0)) }
    let samples = ranks[0].count
    let tenth = max(1, samples / 10)
    let overlaps = Hypergeometric(population: samples, marked: tenth, drawn: tenth)
    func index(_ common: Int) -> Double { Double(common) / Double(2 * tenth - common) }
    func jaccard(_ end: TenthEnd) -> Comparison {
      let members = ranks.map { extreme(tenth, of: $0, end) }
      let common = Self.matrix(members.count, diagonal: tenth) { i, j in
        members[i].indices.count { members[i][$0] && members[j][$0] }
      }
      let least = Self.pairs(seeds: standard.count).map { common[$0.0][$0.1] }.min()!
      return Self.compare(
        common.map { $0.map(index) }, isCorrelation: false, chanceP: overlaps.survival(from: least))
    }
    rankCorrelation = Self.compare(
      Self.matrix(ranks.count, diagonal: 1) {
        Statistics.rankCorrelation(ranks[$0], ranks[$1])?.statistic ?? 0
      },
      isCorrelation: true, chanceP: nil)
    top = jaccard(.top)
    bottom = jaccard(.bottom)
    chance = overlaps.mean(of: index)
    chanceInterval = Interval(
      lower: index(overlaps.quantile(0.025)), upper: index(overlaps.quantile(0.975)))
  }

  /// Something of every two networks, standard ones first.
  private static func matrix<Value>(
    _ count: Int, diagonal: Value, _ value: (Int, Int) -> Value
  ) -> [[Value]] {
    var matrix = [[Value]](repeating: [Value](repeating: diagonal, count: count), count: count)
    for i in 0..<count {
      for j in i + 1..<count {
        matrix[i][j] = value(i, j)
        matrix[j][i] = matrix[i][j]
      }
    }
    return matrix
  }

  /// The pairs of a standard and a robust network of different seeds; the only pair if there is one seed.
  private static func pairs(seeds: Int) -> [(Int, Int)] {
    seeds == 1
      ? [(0, 1)] : (0..<seeds).flatMap { i in (0..<seeds).filter { $0 != i }.map { (i, seeds + $0) } }
  }

  /// Means over seeds of an index of two networks; networks 0 ..< seeds are standard, the others robust.
  private static func compare(_ matrix: [[Double]], isCorrelation: Bool, chanceP: Double?) -> Comparison {
    let seeds = matrix.count / 2
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
      excessInterval: pseudoValues.count == seeds && seeds > 2 ? tInterval(pseudoValues) : nil,
      chanceP: chanceP)
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

/// Which end of an order.
private enum TenthEnd { case top, bottom }

/// Whether each sample is one of the `count` with the highest or lowest of doubled ranks; of equal ones the first are.
private func extreme(_ count: Int, of ranks: [UInt32], _ end: TenthEnd) -> [Bool] {
  // Ranks counted from the wanted end: 2 is the first.
  let last = UInt32(2 * ranks.count + 2)
  func fromEnd(_ rank: UInt32) -> Int { Int(end == .top ? last - rank : rank) }
  var sizes = [UInt32](repeating: 0, count: Int(last) + 1)
  for rank in ranks { sizes[fromEnd(rank)] += 1 }
  var (limit, before) = (0, 0)
  while before + Int(sizes[limit]) < count {
    before += Int(sizes[limit])
    limit += 1
  }
  var left = count - before
  return ranks.map { rank in
    let place = fromEnd(rank)
    if place == limit, left > 0 {
      left -= 1
      return true
    }
    return place < limit
  }
}
