import ArgumentParser

@main
struct Temper: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "temper", abstract: "Train, attack, analyse and distil image classifiers.")
}
