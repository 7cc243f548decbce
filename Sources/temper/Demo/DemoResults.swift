import FileFormats
import Foundation
import Logits
import Reports

/// What the demo measured, as a table, a page and JSON.
struct DemoResults: Encodable {
  /// One network.
  struct Row: Codable {
    let label: String
    let weightsSHA256: String
    let cleanAccuracy: Double
    let robustAccuracy: Double
    let attackedImages: Int
    let maxLogit: Double
    let gap: Double
    let confidence: Double
  }

  let recipe: DemoRecipe
  let seed: UInt64
  let device: String
  let rows: [Row]
  let comparison: LogitComparison
  /// The same comparison with tests and selections, as `temper analyze` gives it.
  let study: LogitStudy

  enum CodingKeys: String, CodingKey { case recipe, seed, device, rows, comparison }

  /// The table that the demo prints.
  var markdown: String { table.markdown + "\n\n" + settings }

  private var table: Table {
    Table(
      "Networks and what they reach",
      columns: [
        .text("Network"), .number("Clean accuracy"), .number("Robust accuracy"), .number("Max logit"),
        .number("Logit gap"), .number("Confidence"),
      ],
      rows: rows.map { row in
        [
          row.label, String(format: "%.1f %%", row.cleanAccuracy * 100),
          String(format: "%.1f %%", row.robustAccuracy * 100), String(format: "%.2f", row.maxLogit),
          String(format: "%.2f", row.gap), String(format: "%.3f", row.confidence),
        ]
      })
  }

  private var settings: String {
    """
    Fashion-MNIST, small-cnn, \(recipe.trainingImages) training images, seed \(seed); \(recipe.standardEpochs) \
    epochs standard, \(recipe.robustEpochs) AT (PGD-\(recipe.trainingSteps), epsilon \(recipe.epsilon)), \
    \(recipe.studentEpochs) per student (T = \(Int(recipe.temperature)), clean images). Clean accuracy and logits: \
    10,000 test images. Robust: the first \(rows.first?.attackedImages ?? 0), worst of PGD-\(recipe.attackSteps) on \
    cross-entropy and on the margin; an upper bound. One seed: differences of a few points mean nothing. Device: \
    \(device).
    """
  }

  /// Writes results.json, max-logit.svg and logit-gap.svg (with gnuplot), README.md and index.html.
  func write(to folder: String, tables: [LogitTable]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write([UInt8](try encoder.encode(self)), to: folder + "/results.json")
    let plots = plots(tables)
    var images = ""
    for (name, title, plot) in plots {
      guard let picture = plot.svgFile() else { continue }
      try AtomicFile.write(picture, to: "\(folder)/\(name).svg")
      images += "![\(title)](\(name).svg)\n\n"
    }
    if Gnuplot.installed == nil {
      Console.note(
        "note: gnuplot is missing; the page comes without its plots (apt-get install gnuplot-nox).")
    }
    try AtomicFile.write(
      "# Temper demo\n\n\(markdown)\n\n\(images)\(StudyText.comparison(study).markdown)",
      to: folder + "/README.md")
    try AtomicFile.write(page(plots.map(\.plot)).html(), to: folder + "/index.html")
  }

  private func page(_ plots: [Plot]) -> Page {
    Page(
      "Temper demo", summary: [settings],
      sections: [
        Page.Section("Networks", [.table(table)]),
        Page.Section(
          "Logits of the standard and the adversarially trained network",
          plots.map { .plot($0) } + StudyText.comparison(study)),
      ])
  }

  private func plots(_ tables: [LogitTable]) -> [(name: String, title: String, plot: Plot)] {
    let measures = tables.map { Measures(of: $0) }
    return [(Measure.maxLogit, "max logit"), (.logitGap, "logit gap")].map { measure, label in
      let values = measures.map { $0.values(measure)! }
      let means = values.map { Distribution($0).mean }
      let title = "Distribution of the \(label)"
      let message = String(
        format: "The mean \(label) is %.2f after standard and %.2f after adversarial training.", means[0],
        means[1])
      let series = zip(["standard", "adversarially trained"], values).map { Plot.Samples($0, $1) }
      let plot = Plot.histogram(title, message: message, x: Plot.Axis(label), series: series)
      return (label.replacingOccurrences(of: " ", with: "-"), title, plot)
    }
  }
}
