extension Plot {
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
}

extension Plot {
  /// A reliability diagram of 1 to 6 models: accuracy over confidence, with the diagonal of a calibrated model,
  /// and below it how many samples each point stands for.
  public static func reliability(_ title: String, message: String, series: [Plot.Reliability]) -> Plot {
    Plot(title, message: message, ReliabilityPlot(series))
  }
}

private struct ReliabilityPlot: PlotContent {
  let series: [Plot.Reliability]

  init(_ series: [Plot.Reliability]) {
    checkSeries(series.map(\.name))
    self.series = series
  }

  var size: (width: Int, height: Int) { (520, 460 + Int(legend!.height)) }
  var isEmpty: Bool { series.allSatisfy(\.bins.isEmpty) }

  var legend: Legend? {
    let entries = series.map { Legend.Entry($0.name, isEmpty: $0.bins.isEmpty, .line(hasMarker: true)) }
    return Legend(entries + [Legend.Entry("calibrated", isEmpty: false, .diagonal)])
  }

  var commands: String {
    let shown = series.indices.filter { !series[$0].bins.isEmpty }
    var text = "set lmargin at screen 0.16\nset xrange [0:1]\n"
    for index in shown {
      let bins = series[index].bins
      let total = Double(bins.reduce(0) { $0 + $1.count })
      text += Script.data(
        "d\(index)", bins.map { [$0.confidence, $0.accuracy, Double($0.count) / total * 100] })
    }
    func curves(_ column: Int) -> [String] {
      shown.map { "$d\($0) using 1:\(column) with linespoints \(Script.style($0))" }
    }
    let diagonal = "x with lines linecolor rgb \"black\" dashtype (6,8) linewidth 1"
    text += "set multiplot\nset bmargin at screen 190 / height\nset format x ''\n"
    text += Plot.Axis("accuracy").commands("y", range: 0...1) + Script.plot([diagonal] + curves(2))
    text += "set tmargin at screen 170 / height\nset bmargin at screen \(PlotSize.below) / height\n"
    text += "set format x '%g'\n" + Plot.Axis("confidence").commands("x")
    text += Plot.Axis("samples", unit: "%").commands("y") + "set yrange [0:*]\n"
    return text + Script.plot(curves(3)) + "unset multiplot\n"
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
