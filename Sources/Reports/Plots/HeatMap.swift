/// The parts that plots of coloured cells share: where the cells lie and the scale of their colours.
struct HeatMap: Sendable {
  /// Pixels left of, above, and below the square of cells.
  let left, top, bottom: Double
  static let side = 340.0
  private static let barGap = 18.0, barWidth = 16.0, right = 116.0

  /// The quantity that is coloured.
  let label: String
  let range: ClosedRange<Double>
  let isLogarithmic: Bool
  let map: ColorMap

  var size: (width: Int, height: Int) {
    (Int(left + Self.side + Self.right), Int(top + Self.side + bottom))
  }

  /// The commands that put the next plot of a multiplot where the cells are.
  var placeCells: String { place(x: left, width: Self.side) + "set border 15\nunset grid\n" }

  /// The commands that draw the scale of colours, as the last plot.
  var scale: String {
    let ends = "\(range.lowerBound):\(range.upperBound)"
    return place(x: left + Self.side + Self.barGap, width: Self.barWidth) + """
      unset label
      unset ylabel
      unset xtics
      unset ytics
      unset arrow
      unset logscale
      set xrange [0:1]
      set yrange [\(ends)]
      set y2range [\(ends)]
      \(isLogarithmic ? "set logscale y\nset logscale y2" : "")
      set y2tics out nomirror scale 0.6 format "%g"
      set label 3 \(Script.quoted(label, limit: 40)) at screen 1 - 16 / width, graph 0.5 rotate by 90 center
      plot NaN, NaN axes x1y2

      """
  }

  private func place(x: Double, width: Double) -> String {
    """
    set lmargin at screen \(x) / width
    set rmargin at screen \(x + width) / width
    set tmargin at screen 1 - \(top) / height
    set bmargin at screen \(bottom) / height

    """
  }

  /// The pictures of the cells and of the scale.
  /// - Parameters:
  ///   - columns: The number of cells in a row.
  ///   - cells: Where each lies on the scale in [0, 1], row by row from the top; nil lets the page through.
  func images(columns: Int, _ cells: [Double?]) -> [PlacedImage] {
    let steps = map.steps(), clear = RGB(255, 255, 255)
    func pixels(_ cells: [Double?]) -> [UInt8] {
      cells.flatMap { cell in
        let color = cell.map { steps[Int(min(63, max(0, $0 * 64)))] } ?? clear
        return [color.red, color.green, color.blue]
      }
    }
    let bar = (0..<64).map { Double?((63.5 - Double($0)) / 64) }
    return [
      PlacedImage(
        png: PNG(width: columns, height: cells.count / columns, rgb: pixels(cells), transparent: clear),
        x: left, y: top, width: Self.side, height: Self.side),
      PlacedImage(
        png: PNG(width: 1, height: 64, rgb: pixels(bar)), x: left + Self.side + Self.barGap, y: top,
        width: Self.barWidth, height: Self.side),
    ]
  }
}
