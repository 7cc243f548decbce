import ArgumentParser
import FileFormats
import Foundation
import Logits
import Reports
import Training

/// `temper analyze`
struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Compare the logits of standard and adversarially trained networks.",
    discussion: """
      Each network is a run folder, a .safetensors file of weights, or a table of logits (.safetensors of `temper logits`,
      .npz with the arrays logits and labels, or .npy with --labels). All must be about the same samples. Give the networks
      of several seeds, in the same order on both sides: only then the figures speak about training and not about two
      networks. Runs are also attacked and compared with what theory says; what was measured is kept in each run's
      folder `analysis`. `temper report` shows the same figures, the object of --json, on a page.

      EXAMPLES
        temper analyze --standard runs/standard --robust runs/at
        temper analyze --standard runs/standard-{0,1,2} --robust runs/at-{0,1,2} --out runs/comparison
        temper analyze --standard A.npy --robust B.npy --labels Y.npy --json
      """)

  @OptionGroup var options: StudyOptions
  @Flag(help: "Print JSON.") var json = false
  @Option(
    help: ArgumentHelp(
      "Also write study.json, study.md and all tables there, large ones thinned.", valueName: "folder"))
  var out: String?

  func run() throws {
    if let out { try AtomicFile.checkFolder(out) }
    let study = try GatheredStudy(options)
    let text = StudyText.markdown(study.results, classNames: study.classNames)
    if let out { try write(study, text, to: out) }
    if json { return try Console.json(study.results) }
    Console.result(text)
  }

  private func write(_ study: GatheredStudy, _ text: String, to folder: String) throws {
    try RunFolder(folder).create()
    try AtomicFile.write(try study.results.json(), to: folder + "/study.json")
    try AtomicFile.write(text, to: folder + "/study.md")
    let tables = try study.tables(matched: true)
    for (kind, tables) in [
      ("standard", tables.standard), ("robust", tables.robust), ("matched", tables.matched),
    ] {
      for (index, table) in tables.enumerated() {
        try table.write(to: "\(folder)/\(kind)-\(index)-logits.safetensors")
      }
    }
  }
}
