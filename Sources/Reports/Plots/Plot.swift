/// A plot: values, what they mean, and the sentence that a reader should take from it.
///
/// The values are reduced when a plot is made (bins, quantiles, blocks), so that it stays small whatever its
/// number of samples. It is drawn by gnuplot, and always comes with its data as a table.
public struct Plot: Sendable {
  let title: String
  let message: String
  let content: any PlotContent

  /// - Parameters:
  ///   - title: What is shown.
  ///   - message: What it says, in a sentence; the text alternative of the picture.
  init(_ title: String, message: String, _ content: any PlotContent) {
    precondition(!message.isEmpty, "a plot needs a sentence that says what it shows")
    self.title = title
    self.message = message
    self.content = content
  }

  /// The plot as the text of an SVG file on white; nil without data and when gnuplot is missing or fails.
  public func svgFile(gnuplot: Gnuplot? = .installed) -> String? {
    guard !content.isEmpty, let drawn = try? gnuplot?.svg(script(background: "#ffffff")),
      let drawing = try? Drawing(drawn, of: self, prefix: "plot")
    else { return nil }
    return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + drawing.text
  }

  /// The plot as part of a page whose style sheet defines the colours; throws when gnuplot fails.
  /// - Parameter prefix: Begins every id; no other element of the page may have ids that begin with it.
  package func inlineSVG(gnuplot: Gnuplot, prefix: String) throws -> String {
    try Drawing(gnuplot.svg(script(background: nil)), of: self, prefix: prefix).withThemeColors.text
  }

  /// The values that are drawn, or their summary.
  var table: Table { content.table(title: title) }

  private func script(background: String?) -> String {
    let (width, height) = content.size
    return """
      set encoding utf8
      set terminal svg size \(width),\(height) noenhanced font "sans-serif,15"\
      \(background.map { " background \"\($0)\"" } ?? "")
      height = \(height).0
      width = \(width).0
      unset key
      set border 3
      set tics nomirror out scale 0.6
      set xtics offset 0,0.4
      set grid linecolor rgb "\(Drawing.gridColor)"
      set tmargin at screen 1 - \(content.legend?.height ?? 0) / height
      set bmargin at screen \(PlotSize.below) / height
      set rmargin at screen 0.96

      """ + content.commands
  }
}

/// One kind of plot: its reduced values and how gnuplot draws them.
protocol PlotContent: Sendable {
  /// Width and height in pixels.
  var size: (width: Int, height: Int) { get }
  /// Whether there is nothing to draw.
  var isEmpty: Bool { get }
  /// gnuplot's commands, after the terminal is set.
  var commands: String { get }
  /// The names of the curves; nil where nothing needs one.
  var legend: Legend? { get }
  /// Pictures below the lines that gnuplot draws.
  var images: [PlacedImage] { get }
  /// What the picture leaves out, as a sentence.
  var remark: String? { get }
  /// The values that are drawn, or their summary.
  func table(title: String) -> Table
}

extension PlotContent {
  var size: (width: Int, height: Int) { (520, 300 + Int(legend?.height ?? 0)) }
  var legend: Legend? { nil }
  var images: [PlacedImage] { [] }
  var remark: String? { nil }
}

/// Sizes in pixels that all plots have.
enum PlotSize {
  /// Below the axes, for numbers and the label.
  static let below = 56.0
}
