import ArgumentParser
import Distillation
import FileFormats
import Training

/// `temper train`
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a network, standard or adversarially, into a run folder.",
    discussion: """
      The run folder holds config.yaml (every setting), metrics.csv (a line per epoch), best.safetensors (the
      epoch that did best on 5,000 validation images of the training set; under its own attack for pgd) and
      last.safetensors. Ctrl-C saves the state and exits with 75; the same command resumes.

      EXAMPLES
        temper train --out runs/standard
        temper train --method pgd --epsilon 0.1 --steps 7 --step-size 0.025 --epochs 5 --out runs/at
        temper train --method pgd --norm l2 --epsilon 1 --step-size 0.25 --model mlp --limit 10000 --out runs/l2
      """)

  @OptionGroup var training: TrainingOptions
  @Option(help: "standard or pgd (adversarial training on PGD images).")
  var method = TrainingConfiguration.Method.standard
  @Option(help: "Norm of the attack: linf or l2.") var norm = "linf"
  @Option(
    parsing: .unconditional, help: "Radius of the attack in pixel units of [0, 1], such as 0.1 or 8/255.")
  var epsilon = "0.1"
  @Option(parsing: .unconditional, help: "Steps of the attack.") var steps = 7
  @Option(parsing: .unconditional, help: "Step size of the attack in pixel units.") var stepSize: Float =
    0.025
  @Option(help: "Share of the target that is spread over all classes.") var labelSmoothing: Float = 0
  @OptionGroup var devices: DeviceOptions

  func run() throws {
    guard method != .distill else {
      throw TemperError(
        .usage, field: "--method", "distill is a command of its own", remedy: "Use `temper distill`.")
    }
    var configuration = training.configuration(method)
    configuration.norm = norm
    configuration.epsilon = epsilon
    configuration.steps = steps
    configuration.stepSize = stepSize
    configuration.labelSmoothing = labelSmoothing
    try configuration.check()
    try train(configuration, training, devices)
  }
}

/// Runs a training run with progress on standard error.
func train(
  _ configuration: TrainingConfiguration, _ options: TrainingOptions, _ devices: DeviceOptions
) throws {
  Interruption.catchSignals()
  let folder = RunFolder(options.out)
  let printer = TrainingProgressPrinter(options.out)
  let run = Run(configuration, folder: folder, dataFolder: options.dataDir, device: try devices.open())
  try run.train { printer.report($0) }
  Console.clearTransient()
  Console.note("\(options.out): finished; best weights in \(folder.best)")
}
