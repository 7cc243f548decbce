import ArgumentParser
import Attacks
import FileFormats
import Tensors

/// Parts of a data set.
enum SplitName: String, ExpressibleByArgument, CaseIterable { case train, validation, test }

extension Norm: ExpressibleByArgument {}
extension EvaluationSettings.Kind: ExpressibleByArgument {}

/// Settings of an attack.
struct AttackOptions: ParsableArguments {
  /// Losses on the command line.
  enum Loss: String, ExpressibleByArgument, CaseIterable { case ce, margin, worst }

  @Option(help: "Attack: none, fgsm or pgd.") var attack = EvaluationSettings.Kind.pgd
  @Option(help: "Norm: linf or l2.") var norm = Norm.linf
  @Option(parsing: .unconditional, help: "Radius in pixel units of [0, 1], such as 0.1 or 8/255.")
  var epsilon = "0.1"
  @Option(parsing: .unconditional, help: "Steps of PGD.") var steps = 20
  @Option(parsing: .unconditional, help: "Step size in pixel units (default: a quarter of epsilon).")
  var stepSize: Float?
  @Option(parsing: .unconditional, help: "Runs of PGD from different starts; a sample must survive all.")
  var restarts = 1
  @Option(help: "What PGD maximises: ce, margin, or worst for both.") var loss = Loss.ce
  @Flag(inversion: .prefixedNo, help: "Start PGD at random points of the ball.") var randomStart = true
  @Option(help: "Seed of the random starts.") var seed: UInt64 = 0

  func settings() throws -> EvaluationSettings {
    let epsilon = try Epsilon(epsilon)
    let losses: [AttackLoss] =
      switch loss {
      case .ce: [.crossEntropy]
      case .margin: [.margin]
      case .worst: [.crossEntropy, .margin]
      }
    let settings = EvaluationSettings(
      attack, ThreatModel(norm, epsilon), stepSize: stepSize ?? epsilon.float / 4, steps: steps,
      restarts: restarts, losses: losses, randomStart: randomStart, seed: seed)
    _ = try settings.attacks()
    return settings
  }
}
