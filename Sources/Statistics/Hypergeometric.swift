/// The hypergeometric distribution: how many of n samples that are drawn at random from N without replacement are among m
/// marked ones. It is how many samples two sets of m and n of N have in common if one of them is a random one, or the samples
/// of one are matched with the other's at random.
public struct Hypergeometric: Sendable {
  /// The number of samples N, of marked ones m and of drawn ones n.
  public let population, marked, drawn: Int
  /// The probabilities of ``first`` and the numbers after it; others are below 1e-300 or impossible.
  private let probabilities: [Double]
  private let first: Int

  /// - Precondition: `marked` and `drawn` lie in 0 ... `population`.
  public init(population: Int, marked: Int, drawn: Int) {
    precondition(
      0...population ~= marked && 0...population ~= drawn, "Of N samples at most N are marked or drawn.")
    (self.population, self.marked, self.drawn) = (population, marked, drawn)
    let (lowest, highest) = (max(0, marked + drawn - population), min(marked, drawn))
    let mode = min(highest, max(lowest, (marked + 1) * (drawn + 1) / (population + 2)))
    /// The probability of k + 1 over that of k.
    func ratio(_ k: Int) -> Double {
      Double(marked - k) * Double(drawn - k) / (Double(k + 1) * Double(population - marked - drawn + k + 1))
    }
    // From the likeliest number to both sides, until nothing is left.
    var (below, above): ([Double], [Double]) = ([], [1])
    var weight = 1.0
    for k in stride(from: mode - 1, through: lowest, by: -1) {
      weight /= ratio(k)
      if weight < 1e-305 { break }
      below.append(weight)
    }
    weight = 1
    for k in mode..<max(mode, highest) {
      weight *= ratio(k)
      if weight < 1e-305 { break }
      above.append(weight)
    }
    let weights = below.reversed() + above
    // The small ones first, for their digits.
    let total = below.reversed().reduce(0, +) + above.reversed().reduce(0, +)
    probabilities = weights.map { $0 / total }
    first = mode - below.count
  }

  /// The mean m n / N.
  public var mean: Double { population == 0 ? 0 : Double(marked) * Double(drawn) / Double(population) }

  /// The probability of `count` or more.
  public func survival(from count: Int) -> Double {
    let place = count - first
    if place <= 0 { return 1 }
    return min(1, probabilities.dropFirst(place).reversed().reduce(0, +))
  }

  /// The smallest number that is not exceeded with at least this probability, in (0, 1).
  public func quantile(_ probability: Double) -> Int {
    precondition(probability > 0 && probability < 1, "A probability lies in (0, 1).")
    var sum = 0.0
    for (place, value) in probabilities.enumerated() {
      sum += value
      if sum >= probability { return first + place }
    }
    return first + probabilities.count - 1
  }

  /// The mean of a function of the number.
  public func mean(of function: (Int) -> Double) -> Double {
    probabilities.enumerated().reduce(0) { $0 + $1.element * function(first + $1.offset) }
  }
}
