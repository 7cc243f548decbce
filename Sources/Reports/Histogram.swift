import FileFormats
import Foundation

/// Histograms drawn by gnuplot as SVG.
public enum Histogram {
  /// One curve: a name, a colour as #rrggbb and the values to count.
  public struct Series: Sendable {
    let name: String
    let color: String
    let values: [Double]

    /// Creates a curve.
    public init(_ name: String, color: String, values: [Double]) {
      self.name = name
      self.color = color
      self.values = values
    }
  }

  /// One panel with its own axis.
  public struct Panel: Sendable {
    let title: String
    let series: [Series]

    /// Creates a panel.
    public init(_ title: String, _ series: [Series]) {
      self.title = title
      self.series = series
    }
  }

  /// Panels side by side as the text of an SVG file, or nil when gnuplot is not installed or fails.
  public static func svg(_ panels: [Panel]) -> String? {
    let folder = FileManager.default.temporaryDirectory.path + "/temper-plot-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try AtomicFile.write(script(panels, output: folder + "/plot.svg"), to: folder + "/plot.gp")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["gnuplot", folder + "/plot.gp"]
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { return nil }
      return String(decoding: try InputFile.read(folder + "/plot.svg"), as: UTF8.self)
    } catch {
      return nil
    }
  }

  private static func script(_ panels: [Panel], output: String) -> String {
    var text = """
      set terminal svg size \(420 * panels.count),300 font "sans-serif,12" background "#ffffff"
      set output "\(output)"
      set multiplot layout 1,\(panels.count)
      set style fill transparent solid 0.35
      set border 3
      set tics nomirror out
      set ylabel "share of samples"
      set yrange [0:*]
      set key top right

      """
    for panel in panels {
      let (low, width) = bins(panel)
      text += "set xlabel \"\(panel.title)\"\n"
      for (index, series) in panel.series.enumerated() {
        text += "$d\(index) << EOD\n"
        for (center, share) in counts(series.values, low, width) { text += "\(center) \(share)\n" }
        text += "EOD\n"
      }
      let curves = panel.series.enumerated().map { index, series in
        "$d\(index) using 1:2 with fillsteps lc rgb \"\(series.color)\" title \"\(series.name)\""
      }
      text += "plot \(curves.joined(separator: ", "))\n"
    }
    return text + "unset multiplot\n"
  }

  /// Start and width of forty bins over the values of a panel, the outermost half percents left out.
  private static func bins(_ panel: Panel) -> (low: Double, width: Double) {
    let sorted = panel.series.flatMap(\.values).sorted()
    guard let first = sorted.first else { return (0, 1) }
    let low = sorted[sorted.count / 200]
    let high = sorted[sorted.count - 1 - sorted.count / 200]
    return high > low ? (low, (high - low) / 40) : (first, 1)
  }

  private static func counts(_ values: [Double], _ low: Double, _ width: Double) -> [(Double, Double)] {
    var counts = [Double](repeating: 0, count: 41)
    for value in values {
      let bin = ((value - low) / width).rounded(.down)
      if bin >= 0, bin <= 40 { counts[Int(bin)] += 1 / Double(values.count) }
    }
    return counts.enumerated().map { (low + (Double($0.offset) + 0.5) * width, $0.element) }
  }
}
