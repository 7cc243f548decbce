import ArgumentParser
import FileFormats
import Foundation

/// The command line. Results go to standard output, progress and messages to standard error.
@main
struct Temper: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "temper",
    abstract: "Trains, attacks, analyses and distils image classifiers on OpenCL devices and on the CPU.",
    discussion: """
      Pixels are in [0, 1] and epsilon is in that scale; 8/255 is accepted. Every command but theory takes --device
      auto|cpu|opencl|opencl:1|NAME and --require-gpu.

      EXAMPLES
        temper devices
        temper train --method pgd --epsilon 0.1 --epochs 4 --out runs/at
        temper evaluate runs/at --attack pgd --epsilon 0.1 --steps 20 --limit 2000
        temper distill --teacher runs/at --manipulation permute --temperature 4 --out runs/student

      EXIT CODES
        0 success, 1 verify beyond its tolerance, 64 usage, 65 bad data, 66 missing input, 69 device unavailable,
        70 internal, 74 input or output failed, 75 interrupted but resumable, 76 non-finite loss

      SHELL COMPLETIONS
        temper --generate-completion-script bash|zsh|fish
      """,
    version: version,
    subcommands: [
      DevicesCommand.self, TrainCommand.self, EvaluateCommand.self, AttackCommand.self, LogitsCommand.self,
      AnalyzeCommand.self, ReportCommand.self, DistillCommand.self, DemoCommand.self, VerifyCommand.self,
      BenchCommand.self, TuneCommand.self,
      TheoryCommand.self,
    ])

  /// Runs the command of the arguments and ends with the exit code that the errors document.
  static func main() {
    // Beyond `ulimit -f` writes then fail with an error instead of ending the process.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
      try ProfileOutput.finish()
    } catch let error as TemperError {
      try? ProfileOutput.finish()
      Console.error("error: \(error)")
      Foundation.exit(error.exitCode)
    } catch {
      exit(withError: error)
    }
  }
}
