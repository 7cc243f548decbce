extension Plot {
  /// A matrix of values by class as coloured cells.
  /// - Parameters:
  ///   - x: What the columns are.
  ///   - y: What the rows are; the first row is at the top.
  ///   - value: What the values are; its range, if given, is that of the colours.
  ///   - labels: The K classes, 1 to 1,000; above 30 they are not drawn.
  ///   - values: K x K finite values, row by row.
  ///   - isDiverging: Colours that tell values below zero from those above, on a range around zero.
  public static func matrix(
    _ title: String, message: String, x: Plot.Axis, y: Plot.Axis, value: Plot.Axis, labels: [String],
    values: [Double],
    isDiverging: Bool = false
  ) -> Plot {
    Plot(title, message: message, MatrixPlot(x, y, value, labels, values, isDiverging))
  }
}

private struct MatrixPlot: PlotContent {
  let x, y, value: Plot.Axis
  let labels: [String]
  let isDiverging: Bool
  let range: ClosedRange<Double>
  /// The cells that are drawn: single values, or means of blocks for more than 200 classes.
  let cells: Blocks
  /// The cells of the table: the same for at most 30 classes, otherwise means of blocks.
  let summary: Blocks
  private static let mostLabels = 30

  init(
    _ x: Plot.Axis, _ y: Plot.Axis, _ value: Plot.Axis, _ labels: [String], _ values: [Double],
    _ isDiverging: Bool
  ) {
    precondition(labels.count <= 1_000, "a matrix has at most 1,000 classes")
    precondition(values.count == labels.count * labels.count, "a matrix needs a value per pair of labels")
    precondition(!value.isLogarithmic, "colours have a linear scale")
    value.check(values)
    let cells = Blocks(values, side: labels.count, limit: 200)
    let low = cells.means.min() ?? 0, high = cells.means.max() ?? 0, bound = max(abs(low), abs(high))
    (self.x, self.y, self.value, self.labels) = (x, y, value, labels)
    self.isDiverging = isDiverging
    self.cells = cells
    range = widened(value.range ?? (isDiverging ? -bound...bound : low...high))
    summary = labels.count <= Self.mostLabels ? cells : Blocks(values, side: labels.count, limit: 20)
  }

  private var hasLabels: Bool { labels.count <= Self.mostLabels }
  private var fontSize: Int { max(9, min(14, Int(HeatMap.side / Double(max(1, labels.count)) * 0.85))) }
  private var labelWidth: Double {
    hasLabels ? Double(min(16, labels.map(\.count).max() ?? 0) * fontSize) * 0.62 + 8 : 40
  }

  private var canvas: HeatMap {
    HeatMap(
      left: 46 + labelWidth, top: 14, bottom: 32 + (hasLabels ? labelWidth : 24), label: value.text,
      range: range, isLogarithmic: false, map: isDiverging ? .diverging : .sequential)
  }

  var size: (width: Int, height: Int) { canvas.size }
  var isEmpty: Bool { labels.isEmpty }
  var remark: String? {
    cells.block == 1 ? nil : "Each cell is the mean of \(cells.block) x \(cells.block) values."
  }

  var images: [PlacedImage] {
    let length = range.upperBound - range.lowerBound
    return canvas.images(columns: cells.side, cells.means.map { ($0 - range.lowerBound) / length })
  }

  var commands: String {
    let last = Double(labels.count) - 0.5
    let names = labels.enumerated().map { "\(Script.quoted($0.element, limit: 16)) \($0.offset)" }
      .joined(separator: ", ")
    let tics = """
      set xtics rotate by 90 right scale 0.4 offset 0,0.3 font ",\(fontSize)" (\(names))
      set ytics scale 0.4 font ",\(fontSize)" (\(names))

      """
    return "set multiplot\n" + canvas.placeCells + x.labelBelow + """
      set label 2 \(Script.quoted(y.text, limit: 40)) at screen 14 / width, graph 0.5 rotate by 90 center
      set xrange [-0.5:\(last)]
      set yrange [\(last):-0.5]
      \(hasLabels ? tics : "")
      plot NaN

      """ + canvas.scale + "unset multiplot\n"
  }

  func table(title: String) -> Table {
    let names = (0..<summary.side).map { index in
      guard summary.block > 1 else { return labels[index] }
      let first = index * summary.block
      return "\(labels[first]) to \(labels[min(labels.count, first + summary.block) - 1])"
    }
    let what = summary.block == 1 ? "" : ", means of blocks of \(summary.block) x \(summary.block) values"
    return Table(
      "\(title): \(value.text) by \(y.text) (rows) and \(x.text) (columns)\(what)",
      columns: [.text(y.text)] + names.map { .number($0) },
      rows: (0..<summary.side).map { row in
        [names[row]] + summary.means[row * summary.side..<(row + 1) * summary.side].map(shortText)
      })
  }
}

/// A square matrix as means of square blocks; the last ones may be smaller.
private struct Blocks {
  let block, side: Int
  let means: [Double]

  /// - Parameter limit: The largest side of the result.
  init(_ values: [Double], side: Int, limit: Int) {
    let block = max(1, (side + limit - 1) / limit)
    let blocks = (side + block - 1) / block
    var sums = [Double](repeating: 0, count: blocks * blocks)
    var counts = sums
    for (index, value) in values.enumerated() {
      let place = index / side / block * blocks + index % side / block
      sums[place] += value
      counts[place] += 1
    }
    self.block = block
    self.side = blocks
    means = zip(sums, counts).map { $0 / $1 }
  }
}
