import Foundation

extension Plot {
  /// How pairs of values lie: cells coloured by the logarithm of their number of pairs, and the diagonal where
  /// both values are equal. Both axes have one
  /// range, that of `x` if it has one.
  /// - Parameters:
  ///   - xs: Finite values, one per pair.
  ///   - ys: The other values of the same pairs.
  public static func pairs(
    _ title: String, message: String, x: Plot.Axis, y: Plot.Axis, xs: [Double], ys: [Double]
  ) -> Plot {
    Plot(title, message: message, PairsPlot(x, y, xs, ys))
  }
}

private struct PairsPlot: PlotContent {
  let x, y: Plot.Axis
  let range: ClosedRange<Double>
  let total, above, below: Int
  /// Numbers of pairs, row by row from the bottom.
  let counts: [Int]
  let remark: String?
  /// The number of cells in a row, a multiple of `coarse`.
  private static let side = 80
  /// The number of cells in a row of the table.
  private static let coarse = 8

  init(_ x: Plot.Axis, _ y: Plot.Axis, _ xs: [Double], _ ys: [Double]) {
    precondition(xs.count == ys.count, "the two values of pairs differ in number")
    precondition(!x.isLogarithmic && !y.isLogarithmic, "pairs have linear axes")
    let both = [Plot.Samples(x.label, xs), Plot.Samples(y.label, ys)]
    let range = x.range.map(widened) ?? Plot.Samples.range(both)
    let scale = Double(Self.side) / (range.upperBound - range.lowerBound)
    func cell(_ value: Double) -> Int { min(Self.side - 1, Int((value - range.lowerBound) * scale)) }
    var counts = [Int](repeating: 0, count: Self.side * Self.side)
    var outside = 0
    for (a, b) in zip(xs, ys) {
      guard range.contains(a), range.contains(b) else {
        outside += 1
        continue
      }
      counts[cell(b) * Self.side + cell(a)] += 1
    }
    (self.x, self.y, self.range, self.counts) = (x, y, range, counts)
    total = xs.count
    above = zip(xs, ys).count { $1 > $0 }
    below = zip(xs, ys).count { $1 < $0 }
    remark = outside == 0 ? nil : "\(grouped(outside)) of \(grouped(total)) pairs lie outside the axes."
  }

  private var canvas: HeatMap {
    HeatMap(
      left: 84, top: 14, bottom: PlotSize.below, label: "pairs per cell",
      range: 1...Double(max(10, counts.max() ?? 0)), isLogarithmic: true, map: .sequential)
  }

  var size: (width: Int, height: Int) { canvas.size }
  var isEmpty: Bool { total == 0 }

  var images: [PlacedImage] {
    let top = log(canvas.range.upperBound)
    let cells = (0..<Self.side).reversed().flatMap { row in
      counts[row * Self.side..<(row + 1) * Self.side].map { $0 == 0 ? nil : log(Double($0)) / top }
    }
    return canvas.images(columns: Self.side, cells)
  }

  var commands: String {
    "set multiplot\n" + canvas.placeCells + Plot.Axis(x.label, unit: x.unit).commands("x", range: range)
      + Plot.Axis(y.label, unit: y.unit).commands("y", range: range)
      + "plot x with lines linecolor rgb \"black\" dashtype (10,6) linewidth 1.5\n"
      + canvas.scale + "unset multiplot\n"
  }

  func table(title: String) -> Table {
    let width = (range.upperBound - range.lowerBound) / Double(Self.coarse)
    func name(_ bin: Int) -> String {
      let low = range.lowerBound + Double(bin) * width
      return "\(shortText(low)) to \(shortText(low + width))"
    }
    let block = Self.side / Self.coarse
    func sum(_ row: Int, _ column: Int) -> Int {
      (0..<block).reduce(0) { sum, offset in
        let start = (row * block + offset) * Self.side + column * block
        return sum + counts[start..<start + block].reduce(0, +)
      }
    }
    return Table(
      """
      \(title): number of pairs by \(y.text) (rows) and \(x.text) (columns); \(grouped(above)) of \
      \(grouped(total)) pairs above the diagonal, \(grouped(below)) below it
      """,
      columns: [.text(y.text)] + (0..<Self.coarse).map { .number(name($0)) },
      rows: (0..<Self.coarse).reversed().map { row in
        [name(row)] + (0..<Self.coarse).map { grouped(sum(row, $0)) }
      })
  }
}
