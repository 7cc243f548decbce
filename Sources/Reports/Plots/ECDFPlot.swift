extension Plot {
  /// Empirical distribution functions of 1 to 6 series: the share of values up to x.
  public static func ecdf(_ title: String, message: String, x: Plot.Axis, series: [Plot.Samples]) -> Plot {
    Plot(title, message: message, ECDFPlot(x, series))
  }
}

private struct ECDFPlot: PlotContent {
  let x: Plot.Axis
  let range: ClosedRange<Double>
  let names: [String]
  let totals: [Int]
  /// Per series at most 400 points (value, share), from bottom to top.
  let curves: [[(Double, Double)]]
  /// Per series the values at `percents`; none without data.
  let quantiles: [[Double]]
  let remark: String?

  private static let percents = [1.0, 5, 10, 25, 50, 75, 90, 95, 99]

  init(_ x: Plot.Axis, _ series: [Plot.Samples]) {
    precondition(!x.isLogarithmic, "distribution functions have a linear axis")
    checkSeries(series.map(\.name))
    let range = x.range.map(widened) ?? Plot.Samples.range(series)
    self.x = x
    self.range = range
    names = series.map(\.name)
    totals = series.map(\.sorted.count)
    curves = series.map { Self.curve($0.sorted) }
    quantiles = series.map { part in
      part.sorted.isEmpty ? [] : Self.percents.map { part.quantile($0 / 100) }
    }
    remark = Plot.Samples.remark(series, range)
  }

  private static func curve(_ sorted: [Double]) -> [(Double, Double)] {
    guard let first = sorted.first else { return [] }
    let points = min(sorted.count, 400)
    let places = (1...points).map { $0 * sorted.count / points - 1 }
    return [(first, 0)] + places.map { (sorted[$0], Double($0 + 1) / Double(sorted.count)) }
  }

  var isEmpty: Bool { totals.allSatisfy { $0 == 0 } }

  var legend: Legend? {
    Legend(zip(names, totals).map { Legend.Entry($0, isEmpty: $1 == 0, .line(hasMarker: false)) })
  }

  var commands: String {
    var text =
      x.commands("x", range: range) + Plot.Axis("share of values up to x").commands("y", range: 0...1)
    var lines: [String] = []
    for (index, curve) in curves.enumerated() {
      guard let first = curve.first, let last = curve.last else { continue }
      // The curve stays at 0 before its first value and at 1 behind its last.
      let start = [min(range.lowerBound, first.0), 0], end = [max(range.upperBound, last.0), 1]
      text += Script.data("d\(index)", [start] + curve.map { [$0.0, $0.1] } + [end])
      lines.append(
        "$d\(index) with steps \(Script.color(index)) dashtype \(Palette.dashes[index]) linewidth 2")
    }
    return text + Script.plot(lines)
  }

  func table(title: String) -> Table {
    Table(
      "\(title): quantiles of \(x.text)",
      columns: [.text("Series"), .number("Values")] + Self.percents.map { .number("\(Int($0)) %") },
      rows: names.indices.map { index in
        let cells =
          quantiles[index].isEmpty ? Self.percents.map { _ in "no data" } : quantiles[index].map(shortText)
        return [names[index], grouped(totals[index])] + cells
      })
  }
}
