import Foundation

/// The logits z of one sample, K at least 2. Everything is computed in Double.
struct LogitRow {
  let values: UnsafeBufferPointer<Float>
  /// The class of the largest logit, the lowest of equal ones.
  let predicted: Int
  private let known: Softmax?

  /// - Parameter softmax: ``softmax``, if it is known already.
  init(_ values: UnsafeBufferPointer<Float>, softmax: Softmax? = nil) {
    (self.values, known) = (values, softmax)
    var predicted = 0
    for place in 1..<values.count where values[place] > values[predicted] { predicted = place }
    self.predicted = predicted
  }

  /// The largest logit.
  var maximum: Double { Double(values[predicted]) }

  /// The largest logit minus the mean of all.
  var centredMax: Double {
    var sum = 0.0
    for value in values { sum += Double(value) }
    return maximum - sum / Double(values.count)
  }

  /// The logit of `label` minus the largest other one.
  func margin(to label: Int) -> Double {
    guard label == predicted else { return Double(values[label]) - maximum }
    return maximum - Double(largest(excluding: predicted, predicted))
  }

  /// The class of the largest logit but that of `label`, the lowest of equal ones.
  func largest(otherThan label: Int) -> Int {
    if predicted != label { return predicted }
    var largest = label == 0 ? 1 : 0
    for place in values.indices where place != label {
      if values[place] > values[largest] { largest = place }
    }
    return largest
  }

  /// The largest minus the k-th largest logit.
  func gap(to k: Int) -> Double {
    switch k {
    case 1: return 0
    case 2: return margin(to: predicted)
    case 3: return maximum - Double(largest(excluding: predicted, largest(otherThan: predicted)))
    default: return maximum - Double(values.sorted(by: >)[k - 1])
    }
  }

  /// The largest logit of the classes but these two.
  private func largest(excluding a: Int, _ b: Int) -> Float {
    var largest = -Float.infinity
    for place in values.indices where place != a && place != b { largest = max(largest, values[place]) }
    return largest
  }

  /// The places of the `count` largest logits, largest first, the lower of equal ones first.
  func order(first count: Int) -> [Int] {
    func isBefore(_ a: Int, _ b: Int) -> Bool {
      values[a] != values[b] ? values[a] > values[b] : a < b
    }
    // Sorting is faster where much of it is wanted.
    if count > 16 { return Array(values.indices.sorted(by: isBefore).prefix(count)) }
    var places: [Int] = []
    places.reserveCapacity(count + 1)
    for place in values.indices {
      if places.count == count, !isBefore(place, places[count - 1]) { continue }
      let rank = places.firstIndex { isBefore(place, $0) } ?? places.count
      places.insert(place, at: rank)
      if places.count > count { places.removeLast() }
    }
    return places
  }

  /// What depends on the probabilities.
  var softmax: Softmax { known ?? Softmax(self) }

  /// p = softmax(z), by the sums over z - max z.
  struct Softmax {
    private let maximum: Double
    /// The sum of exp(z - max z) over all classes but the predicted one, whose term is 1: kept apart so that the entropy
    /// of a very confident sample is not rounded away.
    private let others: Double
    /// The sum of exp(z - max z) (z - max z).
    private let weighted: Double

    /// Of one class.
    init() { (maximum, others, weighted) = (0, 0, 0) }

    init(_ row: LogitRow) {
      maximum = row.maximum
      var (others, weighted) = (0.0, 0.0)
      for place in row.values.indices where place != row.predicted {
        let gap = Double(row.values[place]) - maximum
        let power = exp(gap)
        others += power
        weighted += power * gap
      }
      (self.others, self.weighted) = (others, weighted)
    }

    /// max p.
    var confidence: Double { 1 / (1 + others) }
    /// 1 - confidence, without cancellation.
    var doubt: Double { others / (1 + others) }
    /// In nats. With log p = z - max z - log(1 + others); a probability of 0 adds 0, and rounding makes nothing negative.
    var entropy: Double { max(0, log1p(others) - weighted / (1 + others)) }
    /// The probability of a class with this logit.
    func probability(_ logit: Float) -> Double { exp(Double(logit) - maximum) * confidence }
    /// - log of that probability, in nats.
    func crossEntropy(_ logit: Float) -> Double { log1p(others) + (maximum - Double(logit)) }
  }
}

extension LogitTable {
  /// Calls `body` with the logits of sample `row`, which are valid during the call.
  func withRow<Result>(_ row: Int, _ body: (LogitRow) -> Result) -> Result {
    logits.withUnsafeBufferPointer { all in
      body(LogitRow(UnsafeBufferPointer(rebasing: all[row * classCount..<(row + 1) * classCount])))
    }
  }
}
