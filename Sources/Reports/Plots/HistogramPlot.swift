extension Plot {
  /// Histograms of 1 to 6 series in common bins, over each other.
  /// - Parameters:
  ///   - x: The quantity that is counted.
  ///   - series: Raw values; each curve shows shares of its own number of values.
  public static func histogram(_ title: String, message: String, x: Plot.Axis, series: [Plot.Samples]) -> Plot
  {
    Plot(title, message: message, HistogramPlot(x, series))
  }
}

private struct HistogramPlot: PlotContent {
  let x: Plot.Axis
  let range: ClosedRange<Double>
  let names: [String]
  let totals: [Int]
  /// Per series the numbers of values in the bins.
  let counts: [[Int]]
  let remark: String?

  init(_ x: Plot.Axis, _ series: [Plot.Samples]) {
    precondition(!x.isLogarithmic, "histograms have a linear axis")
    checkSeries(series.map(\.name))
    let range = x.range.map(widened) ?? Plot.Samples.range(series)
    let largest = series.map(\.sorted.count).max() ?? 0
    let binCount = min(60, max(5, Int(Double(largest).squareRoot())))
    self.x = x
    self.range = range
    names = series.map(\.name)
    totals = series.map(\.sorted.count)
    counts = series.map { Self.counts($0.sorted, range, binCount) }
    remark = Plot.Samples.remark(series, range)
  }

  /// The last bin holds its upper end as well.
  private static func counts(_ values: [Double], _ range: ClosedRange<Double>, _ binCount: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: binCount)
    let scale = Double(binCount) / (range.upperBound - range.lowerBound)
    for value in values where range.contains(value) {
      counts[min(binCount - 1, Int((value - range.lowerBound) * scale))] += 1
    }
    return counts
  }

  var isEmpty: Bool { totals.allSatisfy { $0 == 0 } }

  var legend: Legend? {
    Legend(zip(names, totals).map { Legend.Entry($0, isEmpty: $1 == 0, .line(hasMarker: false)) })
  }

  private var edges: [Double] {
    let bins = counts[0].count
    let width = (range.upperBound - range.lowerBound) / Double(bins)
    return (0...bins).map { range.lowerBound + Double($0) * width }
  }

  var commands: String {
    let shown = names.indices.filter { totals[$0] > 0 }
    let edges = edges
    var text = x.commands("x", range: range) + Plot.Axis("share of values", unit: "%").commands("y")
    text += "set yrange [0:*]\n"
    for index in shown {
      let shares = counts[index].map { Double($0) / Double(totals[index]) * 100 } + [0]
      text += Script.data("d\(index)", [[edges[0], 0]] + zip(edges, shares).map { [$0, $1] })
    }
    let fills = shown.map { "$d\($0) with fillsteps fs transparent solid 0.18 \(Script.color($0)) notitle" }
    let outlines = shown.map { index in
      "$d\(index) with steps \(Script.color(index)) dashtype \(Palette.dashes[index]) linewidth 2"
    }
    return text + Script.plot(fills + outlines)
  }

  func table(title: String) -> Table {
    let edges = edges
    let heads = zip(names, totals).map { "\($0) (\(grouped($1)) values)" }
    return Table(
      "\(title): number of values by bin",
      columns: [.number("\(x.text) from"), .number("to")] + heads.map { .number($0) },
      rows: counts[0].indices.map { bin in
        [shortText(edges[bin]), shortText(edges[bin + 1])] + counts.map { grouped($0[bin]) }
      })
  }
}
