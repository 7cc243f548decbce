import ArgumentParser
import FileFormats
import Theory

/// `temper theory`
struct TheoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "theory",
    abstract: "Show on small exact problems when adversarial training shrinks the logit gap, and when not.",
    discussion: """
      Four tables: linear models at the optimum of adversarial training; separable data after equal steps; a
      few hopeless samples; the largest gap that an entropy allows. Everything is computed in seconds, in
      Double and without a device. Epsilon is in units of the features' standard deviation.

      EXAMPLES
        temper theory
        temper theory --epsilon 0,0.1,0.25 --samples 5000 --seed 1
        temper theory --json | jq '.logistic[].mean_gap'
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Radii of the linear model's adversary, at least 0.", valueName: "list"))
  var epsilon = "0,0.05,0.1,0.2,0.3,0.5"
  @Option(parsing: .unconditional, help: "Samples of the linear model, 1000 to 1000000.")
  var samples = 20_000
  @Option(help: "Seed of the samples.") var seed: UInt64 = 0
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if !(1000...1_000_000).contains(samples) {
      throw ValidationError("--samples is \(samples); give 1000 to 1000000.")
    }
    _ = try epsilons()
  }

  func run() throws {
    let report = try TheoryReport(epsilons: epsilons(), samples: samples, seed: seed)
    if json { return try Console.json(report) }
    Console.result(report.text)
  }

  private func epsilons() throws -> [Double] {
    try epsilon.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let value = Double(part.drop { $0 == " " }), value.isFinite, value >= 0 else {
        throw ValidationError(
          "--epsilon has \"\(part)\"; give numbers of at least 0 with commas between them, such as 0,0.1.")
      }
      return value
    }
  }
}
