import Foundation
import Reports
import TestSupport
import Testing

let hasGnuplot = Gnuplot.installed != nil

/// Calls `body` with a program that stands for gnuplot and runs the lines of shell `script`.
func withFakeGnuplot(_ script: String, _ body: (Gnuplot) throws -> Void) throws {
  try withTemporaryFolder { folder in
    let path = folder + "/gnuplot"
    try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    try body(#require(Gnuplot(searchPath: "/nowhere:\(folder)")))
  }
}

/// The number of values that the bins of a histogram's table hold, per series.
private func binned(_ plot: Plot) throws -> [Int] {
  let page = Page("p", summary: [], sections: [.init("s", [.plot(plot)])]).html(gnuplot: nil)
  let outline = try Outline(page)
  let series = outline.count("th") == 0 ? 0 : outline.elements.count { $0.attributes["scope"] == "col" } - 2
  let cells = outline.text("td")
  return (0..<series).map { column in
    stride(from: column + 1, to: cells.count, by: series + 1).reduce(0) {
      $0 + (Int(cells[$1].replacing(",", with: "")) ?? 0)
    }
  }
}

struct PlotTests {
  @Test(
    .enabled(if: hasGnuplot, "gnuplot is missing (package gnuplot-nox)"),
    arguments: samplePlots.dropLast().indices)
  func everyKindIsDrawnWithItsText(index: Int) throws {
    let svg = try samplePlots[index].inlineSVG(gnuplot: #require(Gnuplot.installed), prefix: "p")
    let outline = try Outline(svg)
    #expect(outline.elements[0].attributes["role"] == "img")
    #expect(outline.elements[0].attributes["aria-labelledby"] == "p-title p-desc")
    #expect(outline.count("title") == 1 && outline.text("desc").first?.isEmpty == false)
    #expect(outline.values("id").allSatisfy { $0.hasPrefix("p-") })
    #expect(outline.count("path") + outline.count("polygon") > 5)
    for fixed in ["rgb(", "black", "white", "#fff"] { #expect(!svg.contains(fixed), "\(fixed)") }
    #expect(svg.utf8.count < 200_000)
  }

  @Test(.enabled(if: hasGnuplot, "gnuplot is missing (package gnuplot-nox)"))
  func aMillionValuesStaySmall() throws {
    let gnuplot = try #require(Gnuplot.installed)
    var random = Seeded(1)
    let values = (0..<1_000_000).map { _ in Double.random(in: -1...1, using: &random) }
    let x = Plot.Axis("x"), series = [Plot.Samples("a", values), Plot.Samples("b", values.map { $0 * $0 })]
    let points = values.indices.map { Plot.Line.Point(Double($0), values[$0], interval: -1...1) }
    let plots: [Plot] = [
      .histogram("t", message: "m", x: x, series: series), .ecdf("t", message: "m", x: x, series: series),
      .pairs("t", message: "m", x: x, y: x, xs: values, ys: values.reversed()),
      .lines("t", message: "m", x: x, y: x, series: [Plot.Line("a", points)]),
      .matrix(
        "t", message: "m", x: x, y: x, value: x, labels: (0..<1_000).map { "\($0)" }, values: values),
    ]
    for plot in plots {
      let size = try plot.inlineSVG(gnuplot: gnuplot, prefix: "p").utf8.count
      #expect(size < 200_000 && size > 5_000, "\(size)")
    }
  }

  @Test(.enabled(if: hasGnuplot, "gnuplot is missing (package gnuplot-nox)"))
  func textReachesThePictureUnchanged() throws {
    let plot = Plot.histogram(
      hostile, message: hostile, x: Plot.Axis("x \(hostile)"),
      series: [Plot.Samples("s \(hostile)", [1, 2, 3])])
    let texts = try Outline(plot.inlineSVG(gnuplot: #require(Gnuplot.installed), prefix: "p")).text("text")
    let drawn = hostile.replacing("\u{1}", with: " ")
    #expect(texts.contains { $0.hasPrefix("x \(drawn)".trimmingCharacters(in: .whitespaces)) })
    #expect(texts.contains { $0.hasPrefix("s \(drawn)".trimmingCharacters(in: .whitespaces)) })
  }

  @Test(.enabled(if: hasGnuplot, "gnuplot is missing (package gnuplot-nox)"))
  func degenerateDataIsDrawn() throws {
    let gnuplot = try #require(Gnuplot.installed)
    let x = Plot.Axis("x")
    for values in [[2.5], [0, 0, 0], [1e9, 1e9], [-1e-9, 1e-9]] {
      let series = [Plot.Samples("a", values), Plot.Samples("empty", [])]
      let side = Int(Double(values.count).squareRoot())
      let plots: [Plot] = [
        .histogram("t", message: "m", x: x, series: series), .ecdf("t", message: "m", x: x, series: series),
        .pairs("t", message: "m", x: x, y: x, xs: values, ys: values),
        .lines(
          "t", message: "m", x: x, y: x,
          series: [Plot.Line("a", values.map { .init($0, $0) }), Plot.Line("empty", [])]),
        .matrix(
          "t", message: "m", x: x, y: x, value: x, labels: (0..<side).map { "\($0)" },
          values: Array(values.prefix(side * side))),
        .estimates(
          "t", message: "m", x: x,
          series: [Plot.Estimates("a", [.init("r", values[0])]), Plot.Estimates("empty", [])]),
        .reliability(
          "t", message: "m",
          series: [
            Plot.Reliability("a", [.init(confidence: 1, accuracy: 1, count: 1)]),
            Plot.Reliability("empty", []),
          ]),
      ]
      for plot in plots { #expect(plot.svgFile(gnuplot: gnuplot)?.hasSuffix("</svg>\n") == true) }
    }
  }

  @Test func emptyPlotsAreNotDrawn() throws {
    try withFakeGnuplot("echo '<g id=\"gnuplot_canvas\"></g></svg>'") { gnuplot in
      #expect(samplePlots.last!.svgFile(gnuplot: gnuplot) == nil)
      #expect(samplePlots[0].svgFile(gnuplot: gnuplot) != nil)
    }
  }

  @Test func everyKindTakesNoDataForAnAnswer() throws {
    let x = Plot.Axis("x")
    let plots: [Plot] = [
      .histogram("t", message: "m", x: x, series: [Plot.Samples("a", [])]),
      .ecdf("t", message: "m", x: x, series: [Plot.Samples("a", [])]),
      .pairs("t", message: "m", x: x, y: x, xs: [], ys: []),
      .lines("t", message: "m", x: x, y: x, series: [Plot.Line("a", [])]),
      .matrix("t", message: "m", x: x, y: x, value: x, labels: [], values: []),
      .estimates("t", message: "m", x: x, series: [Plot.Estimates("a", [])]),
      .reliability("t", message: "m", series: [Plot.Reliability("a", [])]),
    ]
    let page = Page("p", summary: [], sections: [.init("s", plots.map { .plot($0) })])
    #expect(try Outline(page.html()).text("p") == plots.map { _ in "No data." })
  }

  @Test func histogramsCountEveryValueOnce() throws {
    let values = (0..<900).map { Double($0) / 900 }
    let plot = Plot.histogram(
      "t", message: "m", x: Plot.Axis("x"),
      series: [Plot.Samples("a", values), Plot.Samples("b", [0.5, 0.5, 1]), Plot.Samples("c", [])])
    #expect(try binned(plot) == [900, 3, 0])
  }

  @Test func tablesOfLongCurvesAreShort() throws {
    let points = (0..<1_000).map { Plot.Line.Point(Double($0), 1) }
    let plot = Plot.lines(
      "t", message: "m", x: Plot.Axis("x"), y: Plot.Axis("y"), series: [Plot.Line("a", points)])
    let outline = try Outline(
      Page("p", summary: [], sections: [.init("s", [.plot(plot)])]).html(gnuplot: nil))
    #expect(outline.count("tr") == 51)
    #expect(outline.text("caption") == ["t, one of 10 points that are drawn"])
  }

  @Test func outliersAreCountedInARemark() throws {
    let plot = Plot.histogram(
      "t", message: "m", x: Plot.Axis("x", range: 0...1), series: [Plot.Samples("a", [0, 0.2, 1, 1.5, -7])])
    #expect(try binned(plot) == [3])
    let page = Page("p", summary: [], sections: [.init("s", [.plot(plot)])]).html(gnuplot: nil)
    #expect(page.contains("2 of 5 values lie outside the axis."))
  }

  @Test func notANumberIsRefused() async {
    await #expect(processExitsWith: .failure) { _ = Plot.Samples("a", [1, .nan]) }
    await #expect(processExitsWith: .failure) { _ = Plot.Samples("a", [-.infinity]) }
    await #expect(processExitsWith: .failure) {
      _ = Plot.lines(
        "t", message: "m", x: Plot.Axis("x"), y: Plot.Axis("y"), series: [Plot.Line("a", [.init(1, .nan)])])
    }
    await #expect(processExitsWith: .failure) {
      _ = Plot.lines(
        "t", message: "m", x: Plot.Axis("x", isLogarithmic: true), y: Plot.Axis("y"),
        series: [Plot.Line("a", [.init(0, 1)])]
      )
    }
    await #expect(processExitsWith: .failure) {
      _ = Plot.matrix(
        "t", message: "m", x: Plot.Axis("x"), y: Plot.Axis("y"), value: Plot.Axis("v"), labels: ["a"],
        values: [.nan])
    }
    await #expect(processExitsWith: .failure) {
      _ = Plot.estimates(
        "t", message: "m", x: Plot.Axis("x"), series: [Plot.Estimates("a", [.init("r", .nan)])])
    }
  }

  @Test func aPlotNeedsAMessage() async {
    await #expect(processExitsWith: .failure) {
      _ = Plot.histogram("t", message: "", x: Plot.Axis("x"), series: [Plot.Samples("a", [1])])
    }
  }

  @Test func aMissingProgramIsNotFound() { #expect(Gnuplot(searchPath: "/nowhere:") == nil) }

  @Test func aProgramThatHangsIsStopped() throws {
    try withFakeGnuplot("exec sleep 100") { gnuplot in
      let start = Date()
      let error = #expect(throws: (any Error).self) { try gnuplot.svg("", seconds: 1) }
      #expect("\(error!)".contains("took more than 1 s") && Date().timeIntervalSince(start) < 20)
    }
  }

  @Test func coloursContrastWithTheirBackground() {
    for (colors, background) in [
      (Palette.light, Palette.lightBackground), (Palette.dark, Palette.darkBackground),
    ] {
      for color in colors { #expect(contrast(color, background) >= 3, "\(color) on \(background)") }
    }
  }

  /// The contrast ratio of WCAG 2.
  private func contrast(_ a: String, _ b: String) -> Double {
    func luminance(_ hex: String) -> Double {
      let value = Int(hex.dropFirst(), radix: 16)!
      let parts = [16, 8, 0].map { shift -> Double in
        let part = Double(value >> shift & 0xFF) / 255
        return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
      }
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    let (low, high) = (min(luminance(a), luminance(b)), max(luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
  }
}
