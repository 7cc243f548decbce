import TestSupport
import Testing

@Suite(.enabled(if: !isUnderOclgrind)) struct HelpTests {
  static let commands = [
    ["devices"], ["train"], ["evaluate"], ["attack"], ["logits"], ["analyze"], ["distill"], ["demo"],
    ["verify"], ["bench", "training"], ["tune"], ["theory"],
  ]

  @Test(arguments: commands)
  func everyCommandShowsExamples(command: [String]) throws {
    let help = try temper(command + ["--help"])
    #expect(help.code == 0 && help.messages.isEmpty)
    #expect(help.output.contains("EXAMPLES\n  temper \(command.joined(separator: " "))"))
    let takesDevice = ![["devices"], ["theory"]].contains(command)
    #expect(!takesDevice || help.output.contains("--device"))
    #expect(help.output.contains("--require-gpu") == (command != ["theory"]))
  }

  @Test func theRootNamesEveryCommandAndExitCode() throws {
    let help = try temper(["--help"])
    for command in Self.commands { #expect(help.output.contains("\n  \(command[0]) ")) }
    for code in [64, 65, 66, 69, 70, 74, 75, 76] { #expect(help.output.contains("\(code)")) }
    #expect(try temper(["--version"]).output == "0.1.0\n")
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func shellsGetCompletions(shell: String) throws {
    let script = try temper(["--generate-completion-script", shell])
    #expect(script.code == 0 && script.output.contains("distill") && script.output.contains("manipulation"))
  }

  @Test func unknownNamesAreUsageErrors() throws {
    try expectFailure(64, ["tain"], ["tain"])
    try expectFailure(64, ["--epoch", "--epochs"], ["train", "--out", "x", "--epoch", "3"])
    try expectFailure(64, ["--out"], ["train"])
    try expectFailure(64, ["banana"], ["evaluate", "x", "--attack", "banana"])
    try expectFailure(64, ["l3"], ["evaluate", "x", "--norm", "l3"])
  }
}
