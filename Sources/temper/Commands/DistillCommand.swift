import ArgumentParser
import FileFormats
import Training

/// `temper distill`
struct DistillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Train a student on a teacher's logits of clean images.",
    discussion: """
      The loss is T^2 KL(teacher || student) at temperature T, without labels and without perturbations. The
      teacher's logits are computed once, then manipulated:
        intact   as they are
        uniform  every logit but the largest set to one value; the largest probability at T stays
        permute  the logits but the largest change places, once per sample
        reverse  the logits but the largest change places so that their order is reversed

      EXAMPLES
        temper distill --teacher runs/at --out runs/student
        temper distill --teacher runs/at --manipulation reverse --temperature 4 --epochs 4 --out runs/reversed
      """)

  @OptionGroup var training: TrainingOptions
  @Option(help: ArgumentHelp("The teacher's run folder or .safetensors file.", valueName: "run")) var teacher:
    String
  @Flag(help: "Use the teacher's last epoch instead of its best.") var teacherLast = false
  @Option(help: "What is done to the teacher's logits: intact, uniform, permute or reverse.")
  var manipulation = "intact"
  @Option(parsing: .unconditional, help: "Softmax temperature T, above 0.") var temperature: Float = 4
  @OptionGroup var devices: DeviceOptions

  func run() throws {
    let weights = try RunFolder.weights(of: teacher, last: teacherLast)
    var configuration = training.configuration(.distill)
    configuration.distillation = .init(
      teacher: weights, teacherSHA256: SHA256.hex(of: try InputFile.read(weights)),
      manipulation: manipulation, temperature: temperature)
    try configuration.check()
    try train(configuration, training, devices)
  }
}
