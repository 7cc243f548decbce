extension LogitTable {
  /// The largest minus the k-th largest logit of each sample, (N); 0 for k = 1.
  ///
  /// - Precondition: k lies in 1 ... ``classCount``.
  public func gaps(to k: Int) -> [Double] {
    precondition((1...classCount).contains(k), "k lies in 1 ... \(classCount)")
    return (0..<sampleCount).map { withRow($0) { $0.gap(to: k) } }
  }

  /// The rank of each class by its logit for each sample, (N, K): 0 is the largest; of equal ones the lower class comes first.
  public func ranks() -> [[Int]] {
    (0..<sampleCount).map { sample in
      let order = withRow(sample) { $0.order(first: classCount) }
      var ranks = [Int](repeating: 0, count: classCount)
      for (rank, index) in order.enumerated() { ranks[index] = rank }
      return ranks
    }
  }
}
