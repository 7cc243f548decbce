import ArgumentParser

/// `temper bench`
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure throughput on a device.",
    subcommands: [BenchTrainingCommand.self, BenchOperationsCommand.self])
}
