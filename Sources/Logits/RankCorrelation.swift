/// The ranks of `values`, from 1; equal values share the mean of their ranks.
func averageRanks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    for place in start..<end { ranks[order[place]] = Double(start + end + 1) / 2 }
    start = end
  }
  return ranks
}

/// Spearman's rank correlation of two series of equal length, in [-1, 1]; nil if one of them is constant.
func rankCorrelation(_ a: [Double], _ b: [Double]) -> Double? {
  let centre = Double(a.count + 1) / 2
  let (x, y) = (averageRanks(a).map { $0 - centre }, averageRanks(b).map { $0 - centre })
  func product(_ u: [Double], _ v: [Double]) -> Double { zip(u, v).reduce(0) { $0 + $1.0 * $1.1 } }
  let scale = (product(x, x) * product(y, y)).squareRoot()
  return scale > 0 ? product(x, y) / scale : nil
}
