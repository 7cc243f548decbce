import ArgumentParser
import Attacks
import Datasets
import FileFormats
import Networks
import Tensors

/// `temper attack`
struct AttackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attack",
    abstract: "Attack images of a .npy file and write the perturbed ones.",
    discussion: """
      Images are (N, C, H, W) float32 in [0, 1], labels whole numbers. With several restarts or losses each
      sample keeps the first perturbed image that is misclassified, or else the last one. Convolutions are direct
      here even where Winograd's algorithm is faster, so that images agree with other libraries' but for rounding.

      EXAMPLES
        temper attack --weights W.safetensors --model small-cnn --images X.npy --labels Y.npy --attack pgd \\
          --norm linf --epsilon 0.1 --steps 7 --step-size 0.025 --no-random-start --out ADV.npy
        temper attack --weights runs/at/best.safetensors --images X.npy --labels Y.npy --attack fgsm --out ADV.npy
      """)

  @Option(help: "The network's .safetensors file.") var weights: String
  @Option(help: "Its architecture, if the file does not say: small-cnn, mlp or resnet18.") var model: String?
  @Option(help: "Images, .npy.") var images: String
  @Option(help: "Labels, .npy.") var labels: String
  @Option(help: "Where to write the perturbed images, .npy.") var out: String
  @Option(help: "Images per batch.") var batchSize = 250
  @OptionGroup var attack: AttackOptions
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if batchSize < 1 { throw ValidationError("--batch-size is \(batchSize); give at least 1.") }
  }

  func run() throws {
    let settings = try attack.settings()
    guard out.hasSuffix(".npy") else {
      throw TemperError(.usage, field: "--out", "\(out) does not end in .npy", remedy: "Name a .npy file.")
    }
    try AtomicFile.checkWritable(out)
    let device = try devices.open()
    let network = try LoadedNetwork(weights: weights, model: model, on: device).network
    let source = try ArrayDataset(
      imageFile: images, labelFile: labels, extents: network.description.extents,
      classes: network.description.classes, on: device)
    var perturbed: [Float] = []
    let fixed = device.memoryUse.used
    for range in source.ranges(of: batchSize) {
      perturbed += try device.withBatch(of: range.count, fixed: fixed) {
        try ConvolutionAlgorithm.$forced.withValue(ConvolutionAlgorithm.forced ?? .direct) {
          try worst(try source.batch(range), network, try settings.attacks())
        }
      }
      Console.transient("attacked \(range.upperBound) of \(source.count)")
    }
    Console.clearTransient()
    let shape: Shape = [source.count, source.height, source.width, source.channels]
    try NpyArray(
      shape: [source.count, source.channels, source.height, source.width],
      .float32(ArrayDataset.channelsFirst(perturbed, shape: shape))
    ).write(to: out)
    Console.note("\(out): \(source.count) images")
  }

  /// The perturbed images of a batch, in the order of their memory.
  private func worst(_ batch: Batch, _ network: any Network, _ attacks: [PGD]) throws -> [Float] {
    var result = try batch.images.floats()
    let labels = try batch.labels.integers()
    let size = result.count / batch.count
    var fooled = [Bool](repeating: false, count: batch.count)
    for attack in attacks {
      let images = try attack.perturb(batch, against: network)
      let values = try images.floats()
      let predictions = try argmax(try network(images)).integers()
      for i in 0..<batch.count where !fooled[i] {
        result.replaceSubrange(i * size..<(i + 1) * size, with: values[i * size..<(i + 1) * size])
        fooled[i] = predictions[i] != labels[i]
      }
    }
    return result
  }
}
