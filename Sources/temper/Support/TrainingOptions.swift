import ArgumentParser
import Training

extension Schedule: ExpressibleByArgument {}
extension TrainingConfiguration.Method: ExpressibleByArgument {}
extension TrainingConfiguration.OptimizerName: ExpressibleByArgument {}
extension TrainingConfiguration.Augmentation: ExpressibleByArgument {}

/// Settings that every kind of training has.
struct TrainingOptions: ParsableArguments {
  @Option(help: "Data set: fashion-mnist, mnist or cifar-10.") var data = "fashion-mnist"
  @Option(help: ArgumentHelp("Folder of the data set's files.", valueName: "folder")) var dataDir: String?
  @Option(help: "Network: small-cnn, mlp or resnet18.") var model = "small-cnn"
  @Option(parsing: .unconditional, help: "Factor of the channels of resnet18.") var widthMultiplier = 1.0
  @Option(parsing: .unconditional, help: "Passes over the training images.") var epochs = 4
  @Option(parsing: .unconditional, help: "Images per step.") var batchSize = 128
  @Option(help: "Optimizer: sgd or adamw.") var optimizer = TrainingConfiguration.OptimizerName.sgd
  @Option(parsing: .unconditional, help: "Base (peak) learning rate.") var lr = 0.1
  @Option(parsing: .unconditional, help: "Momentum of SGD.") var momentum: Float = 0.9
  @Flag(help: "Nesterov momentum.") var nesterov = false
  @Option(parsing: .unconditional, help: "Weight decay.") var weightDecay: Float = 5e-4
  @Option(help: "Learning rate over time: constant, one-cycle, cosine or multi-step.")
  var schedule = Schedule.oneCycle
  @Option(help: "Augmentation: none or crop-flip.") var augmentation = TrainingConfiguration.Augmentation.none
  @Option(help: "Seed of weights, split, order, augmentation and attacks.") var seed: UInt64 = 0
  @Option(parsing: .unconditional, help: "Training images used (default: all).") var limit: Int?
  @Option(help: ArgumentHelp("The run folder; the same command resumes a stopped run.", valueName: "run"))
  var out: String

  func configuration(_ method: TrainingConfiguration.Method) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration.data = data
    configuration.model = model
    configuration.widthMultiplier = widthMultiplier == 1 ? nil : widthMultiplier
    configuration.method = method
    configuration.epochs = epochs
    configuration.batchSize = batchSize
    configuration.optimizer = optimizer
    configuration.learningRate = lr
    configuration.momentum = momentum
    configuration.nesterov = nesterov
    configuration.weightDecay = weightDecay
    configuration.schedule = schedule
    configuration.augmentation = augmentation
    configuration.seed = seed
    configuration.limit = limit
    return configuration
  }
}
