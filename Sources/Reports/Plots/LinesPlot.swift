import Foundation

extension Plot {
  /// A curve of measured points.
  public struct Line: Sendable {
    /// One point, with its interval if it has one.
    public struct Point: Sendable {
      let x, y: Double
      let interval: ClosedRange<Double>?

      /// Creates a point.
      public init(_ x: Double, _ y: Double, interval: ClosedRange<Double>? = nil) {
        self.x = x
        self.y = y
        self.interval = interval
      }

      /// The values that lie along the y axis.
      var extent: [Double] { [y] + (interval.map { [$0.lowerBound, $0.upperBound] } ?? []) }
    }

    let name: String
    let points: [Point]

    /// Creates a curve.
    /// - Parameter points: In the order in which they are joined. Without points it is shown as "no data".
    public init(_ name: String, _ points: [Point]) {
      self.name = name
      self.points = points
    }
  }
}

extension Plot {
  /// 1 to 6 curves through points, with error bars where points have intervals.
  public static func lines(_ title: String, message: String, x: Plot.Axis, y: Plot.Axis, series: [Plot.Line])
    -> Plot
  {
    Plot(title, message: message, LinesPlot(x, y, series))
  }
}

private struct LinesPlot: PlotContent {
  let x, y: Plot.Axis
  let series: [Plot.Line]
  /// Of how many points one is kept, so that a curve has at most 500.
  let thinning: Int

  init(_ x: Plot.Axis, _ y: Plot.Axis, _ series: [Plot.Line]) {
    checkSeries(series.map(\.name))
    for line in series {
      x.check(line.points.map(\.x))
      y.check(line.points.flatMap(\.extent))
    }
    let longest = series.map(\.points.count).max() ?? 0
    let step = max(1, (longest + 499) / 500)
    self.x = x
    self.y = y
    thinning = step
    self.series = series.map { line in
      Plot.Line(line.name, line.points.enumerated().filter { $0.offset % step == 0 }.map(\.element))
    }
  }

  var isEmpty: Bool { series.allSatisfy(\.points.isEmpty) }
  var remark: String? { thinning == 1 ? nil : "One of \(thinning) points is shown." }

  var legend: Legend? {
    Legend(
      series.map {
        Legend.Entry($0.name, isEmpty: $0.points.isEmpty, .line(hasMarker: !Self.isDense($0)))
      })
  }

  /// gnuplot's own error bars would lay white discs over other curves.
  private static let barEnds = "heads size screen 0.009,90"

  /// Whether markers and error bars would hide each other.
  private static func isDense(_ line: Plot.Line) -> Bool { line.points.count > 40 }

  var commands: String {
    let points = series.flatMap(\.points)
    var text = x.commands("x", range: padded(points.map(\.x), x))
    text += y.commands("y", range: padded(points.flatMap(\.extent), y))
    var intervals: [String] = []
    var lines: [String] = []
    for (index, line) in series.enumerated() where !line.points.isEmpty {
      text += Script.data("d\(index)", line.points.map { [$0.x, $0.y] })
      lines.append(
        "$d\(index) with \(Self.isDense(line) ? "lines" : "linespoints") \(Script.style(index))")
      let measured = line.points.compactMap { point in
        point.interval.map { [point.x, point.y, $0.lowerBound, $0.upperBound] }
      }
      guard !measured.isEmpty else { continue }
      text += Script.data("e\(index)", measured)
      intervals.append(
        Self.isDense(line)
          ? "$e\(index) using 1:3:4 with filledcurves \(Script.color(index)) fs transparent solid 0.2"
          : "$e\(index) using 1:3:(0):($4-$3) with vectors \(Self.barEnds) \(Script.color(index)) linewidth 1.5"
      )
    }
    return text + Script.plot(intervals + lines)
  }

  /// The values' range with a margin of 4 % on each side, in the logarithm on a logarithmic axis.
  private func padded(_ values: [Double], _ axis: Plot.Axis) -> ClosedRange<Double>? {
    guard let low = values.min(), let high = values.max() else { return nil }
    if axis.isLogarithmic {
      let factor = low == high ? 2 : pow(high / low, 0.04)
      return low / factor...high * factor
    }
    let range = widened(low...high)
    let margin = (range.upperBound - range.lowerBound) * 0.04
    return range.lowerBound - margin...range.upperBound + margin
  }

  func table(title: String) -> Table {
    let hasIntervals = series.contains { $0.points.contains { $0.interval != nil } }
    let longest = series.map(\.points.count).max() ?? 0
    let step = max(1, (longest + 49) / 50)
    let rows = series.flatMap { line in
      stride(from: 0, to: line.points.count, by: step).map { place in
        let point = line.points[place]
        let ends = [point.interval?.lowerBound, point.interval?.upperBound].map { $0.map(shortText) ?? "" }
        return [line.name, shortText(point.x), shortText(point.y)] + (hasIntervals ? ends : [])
      } + (line.points.isEmpty ? [[line.name, "no data", ""] + (hasIntervals ? ["", ""] : [])] : [])
    }
    return Table(
      title + (step == 1 ? "" : ", one of \(step) points that are drawn"),
      columns: [.text("Series"), .number(x.text), .number(y.text)]
        + (hasIntervals ? [.number("interval from"), .number("to")] : []), rows: rows)
  }
}
