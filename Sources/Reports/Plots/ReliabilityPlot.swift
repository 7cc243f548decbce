/// How often one model is right when it says how sure it is.
public struct Reliability: Sendable {
  /// The samples whose confidence falls into one bin.
  public struct Bin: Sendable {
    let confidence, accuracy: Double
    let count: Int

    /// Creates a bin.
    /// - Parameters:
    ///   - confidence: The mean confidence of its samples, in [0, 1].
    ///   - accuracy: The share of correct ones among them, in [0, 1].
    ///   - count: The number of samples; bins without samples are not drawn.
    public init(confidence: Double, accuracy: Double, count: Int) {
      precondition(count >= 0, "a bin cannot hold \(count) samples")
      precondition(
        count == 0 || ((0...1).contains(confidence) && (0...1).contains(accuracy)),
        "confidence and accuracy lie in [0, 1]")
      self.confidence = confidence
      self.accuracy = accuracy
      self.count = count
    }
  }

  let name: String
  let bins: [Bin]

  /// Creates a model's curve. Without samples it is shown as "no data".
  public init(_ name: String, _ bins: [Bin]) {
    self.name = name
    self.bins = bins.filter { $0.count > 0 }
  }
}

extension Plot {
  /// A reliability diagram of 1 to 6 models: accuracy over confidence, with the diagonal of a calibrated model,
  /// and below it how many samples each point stands for.
  public static func reliability(_ title: String, message: String, series: [Reliability]) -> Plot {
    Plot(title, message: message, ReliabilityPlot(series))
  }
}

private struct ReliabilityPlot: PlotContent {
  let series: [Reliability]

  init(_ series: [Reliability]) {
    checkSeries(series.map(\.name))
    self.series = series
  }

  var size: (width: Int, height: Int) { (520, 440 + Legend(names: names).height) }
  var isEmpty: Bool { series.allSatisfy(\.bins.isEmpty) }
  private static let diagonal = "calibrated"
  private var names: [String] { series.map(\.name) + [Self.diagonal] }

  var commands: String {
    let shown = series.indices.filter { !series[$0].bins.isEmpty }
    var text = "set lmargin at screen 0.15\nset rmargin at screen 0.96\nset xrange [0:1]\n"
    for index in shown {
      let bins = series[index].bins
      let total = Double(bins.reduce(0) { $0 + $1.count })
      text += Script.data(
        "d\(index)", bins.map { [$0.confidence, $0.accuracy, Double($0.count) / total * 100] })
    }
    let curves = series.indices.map { index in
      let isEmpty = series[index].bins.isEmpty
      let source = isEmpty ? "NaN" : "$d\(index) using 1:2"
      return "\(source) with linespoints \(Script.style(index)) "
        + Legend.title(series[index].name, isEmpty: isEmpty)
    }
    let diagonal =
      "x with lines linecolor rgb \"black\" dashtype (3,4) linewidth 1 "
      + Legend.title(Self.diagonal)
    text += "set multiplot\n" + Legend(names: names).commands(height: size.height, left: 0.06)
    text += "set bmargin at screen 0.38\nset format x ''\n"
    text += Axis("accuracy").commands("y", range: 0...1) + Script.plot([diagonal] + curves)
    text += "unset key\nset tmargin at screen 0.34\nset bmargin at screen 0.13\nset format x '%g'\n"
    text += Axis("confidence").commands("x") + Axis("samples", unit: "%").commands("y")
    text += "set yrange [0:*]\nset ytics autofreq\n"
    let shares = shown.map { "$d\($0) using 1:3 with linespoints \(Script.style($0)) notitle" }
    return text + Script.plot(shares) + "unset multiplot\n"
  }

  func table(title: String) -> Table {
    Table(
      title,
      columns: [.text("Model"), .number("Mean confidence"), .number("Accuracy"), .number("Samples")],
      rows: series.flatMap { model in
        model.bins.map {
          [model.name, percentText($0.confidence), percentText($0.accuracy), grouped($0.count)]
        } + (model.bins.isEmpty ? [[model.name, "no data", "no data", "0"]] : [])
      })
  }
}
