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

  /// The table that the demo prints.
  var markdown: String {
    var lines = [
      "| Network | Clean accuracy | Robust accuracy | Max logit | Logit gap | Confidence |",
      "|---|---|---|---|---|---|",
    ]
    for row in rows {
      lines.append(
        String(
          format: "| %@ | %.1f %% | %.1f %% | %.2f | %.2f | %.3f |", row.label, row.cleanAccuracy * 100,
          row.robustAccuracy * 100, row.maxLogit, row.gap, row.confidence))
    }
    return lines.joined(separator: "\n") + "\n\n" + settings
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

  /// Writes results.json, comparison.md, logits.svg (with gnuplot), README.md and index.html.
  func write(to folder: String, tables: [LogitTable]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write([UInt8](try encoder.encode(self)), to: folder + "/results.json")
    let comparisonText = ComparisonText.markdown(comparison)
    let measures = tables.map { Measures(of: $0) }
    let picture = Histogram.svg(
      [(Measure.maxLogit, "max logit"), (.logitGap, "logit gap")].map { measure, title in
        Histogram.Panel(
          title,
          [
            .init("standard", color: "#c2410c", values: measures[0].values(measure)!),
            .init("adversarially trained", color: "#1d4ed8", values: measures[1].values(measure)!),
          ])
      })
    if let picture {
      try AtomicFile.write(picture, to: folder + "/logits.svg")
    } else {
      Console.note(
        "note: gnuplot is missing; the page comes without its picture (apt-get install gnuplot-nox).")
    }
    let image = picture == nil ? "" : "![Distribution of max logit and logit gap](logits.svg)\n\n"
    try AtomicFile.write(
      "# Temper demo\n\n\(markdown)\n\n\(image)\(comparisonText)", to: folder + "/README.md")
    try AtomicFile.write(
      HTMLPage.page(title: "Temper demo", markdown: markdown + "\n\n" + comparisonText, picture: picture),
      to: folder + "/index.html")
  }
}
