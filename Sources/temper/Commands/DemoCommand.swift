import ArgumentParser
import Devices
import Training

/// `temper demo`
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract:
      "Real images to a distilled student: train, attack, compare logits and distil on Fashion-MNIST.",
    discussion: """
      Trains a standard and an adversarially trained small-cnn, compares their logits on the test images, distils
      students from the AT teacher (intact and manipulated logits) and from the standard one on clean images,
      attacks all of them, and prints one table. Everything is kept in --out; the same command resumes.

      EXAMPLES
        temper demo
        temper demo --quick --out runs/quick
      """)

  @Flag(help: "A small subset: under 2 minutes on 2 cores, with much weaker networks.") var quick = false
  @Option(
    help: ArgumentHelp(
      "Where everything is kept (default: runs/demo or runs/demo-quick).", valueName: "folder"))
  var out: String?
  @Option(help: ArgumentHelp("Folder of Fashion-MNIST's IDX files.", valueName: "folder")) var dataDir:
    String?
  @Option(help: "Seed of everything.") var seed: UInt64 = 0
  @OptionGroup var devices: DeviceOptions

  func run() throws {
    Interruption.catchSignals()
    let folder = out ?? (quick ? "runs/demo-quick" : "runs/demo")
    let demo = Demo(
      recipe: quick ? .quick : .full, folder: folder, dataFolder: dataDir, seed: seed,
      device: try devices.open())
    let results = try demo.run()
    Console.result(results.markdown)
    Console.note(
      "\(folder)/index.html and \(folder)/README.md hold this table, the plots and every setting.")
  }
}
