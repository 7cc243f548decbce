import ArgumentParser

/// `temper demo`
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "demo", abstract: "x")
}
