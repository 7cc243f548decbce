extension Plot {
  /// Estimates with intervals, one for each named row of a plot.
  public struct Estimates: Sendable {
    /// One row.
    public struct Row: Sendable {
      let label: String
      let value: Double
      let interval: ClosedRange<Double>?

      /// Creates a row.
      public init(_ label: String, _ value: Double, interval: ClosedRange<Double>? = nil) {
        self.label = label
        self.value = value
        self.interval = interval
      }
    }

    let name: String
    let rows: [Row]

    /// Creates a series. Without rows it is shown as "no data".
    public init(_ name: String, _ rows: [Row]) {
      precondition(Set(rows.map(\.label)).count == rows.count, "a label occurs twice in one series")
      self.name = name
      self.rows = rows
    }
  }
}

extension Plot {
  /// How estimates are drawn.
  public enum EstimateStyle: Sendable {
    /// Bars that begin at zero.
    case bars
    /// Points, as in a forest plot.
    case points
  }

  /// Estimates with intervals, horizontally, with a line at zero; rows of 1 to 6 series that have the same label
  /// stand together.
  public static func estimates(
    _ title: String, message: String, x: Plot.Axis, style: EstimateStyle = .points, series: [Plot.Estimates]
  ) -> Plot {
    Plot(title, message: message, IntervalsPlot(x, style, series))
  }
}

private struct IntervalsPlot: PlotContent {
  let x: Plot.Axis
  let style: Plot.EstimateStyle
  let series: [Plot.Estimates]
  /// All labels in the order of their first use.
  let labels: [String]

  init(_ x: Plot.Axis, _ style: Plot.EstimateStyle, _ series: [Plot.Estimates]) {
    checkSeries(series.map(\.name))
    precondition(!x.isLogarithmic, "a line at zero needs a linear axis")
    x.check(Self.values(series))
    var labels: [String] = []
    var seen: Set<String> = []
    for row in series.flatMap(\.rows) where seen.insert(row.label).inserted { labels.append(row.label) }
    (self.x, self.style, self.series, self.labels) = (x, style, series, labels)
  }

  private static func values(_ series: [Plot.Estimates]) -> [Double] {
    series.flatMap(\.rows).flatMap { [$0.value, $0.interval?.lowerBound ?? 0, $0.interval?.upperBound ?? 0] }
  }

  private var pitch: Double { max(30, Double(18 * series.count + 8)) }
  var size: (width: Int, height: Int) {
    (520, Int(legend!.height + PlotSize.below + pitch * Double(max(1, labels.count))))
  }
  var isEmpty: Bool { labels.isEmpty }
  var legend: Legend? {
    let sign = style == .bars ? Legend.Sign.box : .line(hasMarker: true)
    return Legend(series.map { Legend.Entry($0.name, isEmpty: $0.rows.isEmpty, sign) })
  }

  var commands: String {
    let values = Self.values(series) + [0]
    let range = widened(values.min()!...values.max()!)
    let margin = (range.upperBound - range.lowerBound) * 0.05
    let tics = labels.enumerated().map { "\(Script.quoted($0.element, limit: 26)) \($0.offset)" }
    var text = x.commands("x", range: range.lowerBound - margin...range.upperBound + margin)
    text += """
      set lmargin at screen \(labelWidth) / width
      set yrange [\(Double(labels.count) - 0.4):-0.6]
      set ytics scale 0 (\(tics.joined(separator: ", ")))
      set arrow from 0, graph 0 to 0, graph 1 nohead linecolor rgb "black" linewidth 1

      """
    let places = Dictionary(uniqueKeysWithValues: zip(labels, 0...))
    var curves: [String] = []
    for (index, part) in series.enumerated() where !part.rows.isEmpty {
      let rows = part.rows.map { row in
        let y = Double(places[row.label]!) + offset(index)
        return [row.value, y, row.interval?.lowerBound ?? row.value, row.interval?.upperBound ?? row.value]
      }
      text += Script.data("d\(index)", rows)
      curves += self.curves(index)
    }
    return text + Script.plot(curves)
  }

  /// The width in pixels that the labels take at about 8 a character.
  private var labelWidth: Double { Double(24 + 8 * min(26, labels.map(\.count).max() ?? 0)) }

  /// How far below its label's middle the row of a series lies, in rows.
  private func offset(_ index: Int) -> Double {
    (Double(index) - Double(series.count - 1) / 2) * 0.75 / Double(series.count)
  }

  private func curves(_ index: Int) -> [String] {
    let color = Script.color(index)
    let errors = "$d\(index) using 1:2:3:4 with xerrorbars \(color) linewidth 2"
    switch style {
    case .points: return ["\(errors) \(Script.marker(index))"]
    case .bars:
      let half = 0.32 / Double(series.count)
      let box = "$d\(index) using (0.0):($2-\(half)):(0.0):1:($2-\(half)):($2+\(half))"
      return [
        "\(box) with boxxyerror fs transparent solid 0.35 border \(color) \(color) linewidth 1",
        "\(errors) pointtype 0",
      ]
    }
  }

  func table(title: String) -> Table {
    Table(
      title,
      columns: [
        .text("Row"), .text("Series"), .number(x.text), .number("interval from"), .number("to"),
      ],
      rows: labels.flatMap { label in
        series.flatMap { part in
          part.rows.filter { $0.label == label }.map { row in
            [label, part.name, shortText(row.value)]
              + [row.interval?.lowerBound, row.interval?.upperBound].map { $0.map(shortText) ?? "" }
          }
        }
      })
  }
}
