/// Predictions of similar confidence.
public struct ReliabilityBin: Sendable, Equatable, Codable {
  /// The bin's range of confidences: for bins of equal width its edges (the lower one is outside, but for 0),
  /// for bins of equal mass its smallest and largest confidence.
  public let lower, upper: Double
  /// The number of predictions in the bin, at least 1.
  public let count: Int
  /// The predictions' mean confidence.
  public let confidence: Double
  /// The share of correct predictions, in [0, 1].
  public let accuracy: Double
}

/// How predictions are put in bins by their confidence.
public enum Binning: Sendable, Equatable {
  /// This many bins (m / M, (m + 1) / M] of equal width between 0 and 1; the first one holds 0 too.
  case equalWidth(Int)
  /// At most this many bins of counts as equal as possible ("adaptive"); equal confidences stay in one bin.
  case equalMass(Int)
}

/// The reliability diagram of predictions, by ascending confidence, without empty bins.
///
/// - Parameters:
///   - confidence: Each prediction's confidence in [0, 1], (n).
///   - correct: Whether it is correct, (n).
///   - binning: With at least one bin.
public func reliability(confidence: [Double], correct: [Bool], binning: Binning) -> [ReliabilityBin] {
  precondition(confidence.count == correct.count, "There must be as many confidences as outcomes.")
  precondition(confidence.allSatisfy { 0...1 ~= $0 }, "Confidences lie in [0, 1].")
  let (sorted, order) = sorted(confidence)
  let cuts = cuts(sorted, binning)
  return zip(cuts, cuts.dropFirst()).filter { $0.place < $1.place }.map { start, end in
    let rows = start.place..<end.place
    return ReliabilityBin(
      lower: start.edge ?? sorted[rows.lowerBound], upper: end.edge ?? sorted[rows.upperBound - 1],
      count: rows.count, confidence: accurateMean(Array(sorted[rows])),
      accuracy: Double(rows.count { correct[Int(order[$0])] }) / Double(rows.count))
  }
}

/// Where bins begin and end in the sorted confidences, with the edge if it is fixed.
private func cuts(_ sorted: [Double], _ binning: Binning) -> [(place: Int, edge: Double?)] {
  switch binning {
  case .equalWidth(let bins):
    precondition(bins > 0, "There must be a bin.")
    return (0...bins).map { bin in
      let edge = Double(bin) / Double(bins)
      return (bin == 0 ? 0 : firstPlace(sorted) { $0 > edge }, edge)
    }
  case .equalMass(let bins):
    precondition(bins > 0, "There must be a bin.")
    return (0...bins).map { (tieFreeCut(sorted, (2 * $0 * sorted.count + bins) / (2 * bins)), nil) }
  }
}

/// The place nearest to `place` that does not part equal confidences; the earlier of two.
private func tieFreeCut(_ sorted: [Double], _ place: Int) -> Int {
  guard 0 < place, place < sorted.count, sorted[place - 1] == sorted[place] else { return place }
  let start = firstPlace(sorted) { $0 >= sorted[place] }
  let end = firstPlace(sorted) { $0 > sorted[place] }
  return place - start <= end - place ? start : end
}

/// The first place whose value satisfies `isBeyond`, which holds from some place on.
private func firstPlace(_ sorted: [Double], where isBeyond: (Double) -> Bool) -> Int {
  var (lower, upper) = (0, sorted.count)
  while lower < upper {
    let middle = (lower + upper) / 2
    if isBeyond(sorted[middle]) { upper = middle } else { lower = middle + 1 }
  }
  return lower
}

/// The expected calibration error of a reliability diagram (Guo et al., "On calibration of modern neural
/// networks", 2017): the mean over predictions of their bin's |accuracy - confidence|, in [0, 1]; 0 without
/// bins.
public func expectedCalibrationError(_ bins: [ReliabilityBin]) -> Double {
  let count = bins.reduce(0) { $0 + $1.count }
  guard count > 0 else { return 0 }
  return bins.reduce(0) { $0 + Double($1.count) * abs($1.accuracy - $1.confidence) } / Double(count)
}
