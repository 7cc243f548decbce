/// Repetitions of some work within a time budget, each timed.
struct Throughput {
  /// Seconds of each repetition, from the shortest to the longest.
  private let seconds: [Double]

  /// Runs `work` `warmUp` times, then for `seconds` and at least three times.
  init(seconds budget: Double, warmUp: Int, _ work: () throws -> Void) throws {
    for _ in 0..<warmUp { try work() }
    var samples: [Double] = []
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .seconds(budget) || samples.count < 3 {
      let began = ContinuousClock.now
      try work()
      samples.append((ContinuousClock.now - began) / .seconds(1))
    }
    seconds = samples.sorted()
  }

  /// How many repetitions were timed.
  var samples: Int { seconds.count }

  /// Repetitions per second: the quantile `q` of the rates.
  func rate(_ q: Double) -> Double { 1 / seconds[Int(((1 - q) * Double(seconds.count - 1)).rounded())] }
}
