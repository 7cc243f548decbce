import Devices
import FileFormats
import Networks
import Tensors
import TestSupport
import Testing

/// ResNet-18 with an eighth of the channels against PyTorch, in both modes of batch norm.
@Suite(.enabled(if: !isUnderOclgrind)) struct ResNetTests {
  private static let description = NetworkDescription(
    model: "resnet18", height: 32, width: 32, channels: 3, classes: 10, widthMultiplier: 0.125)

  private struct Case {
    let network: any Network
    let file: Safetensors
    let images: Tensor
    let labels: Tensor
    let shape: [Int]

    init(on device: Device) throws {
      network = try WeightsFile.read(
        fixture("resnet18.safetensors"), model: "resnet18", fallback: ResNetTests.description, on: device
      ).network
      file = try Safetensors(contentsOf: fixture("resnet18_case.safetensors"))
      let (shape, pixels) = try file.floats("images")
      self.shape = shape
      images = try Tensor(
        Self.transposed(pixels, shape[0], shape[1], 1024), shape: [shape[0], 32, 32, 3], on: device)
      labels = try Tensor(try file.int32s("labels").values, on: device)
    }

    /// (n, a, b) to (n, b, a).
    static func transposed(_ values: [Float], _ n: Int, _ a: Int, _ b: Int) -> [Float] {
      (0..<n).flatMap { i in (0..<b).flatMap { j in (0..<a).map { values[(i * a + $0) * b + j] } } }
    }

    /// The largest difference over the largest expected value.
    func error(_ values: [Float], _ name: String) throws -> Float {
      let expected = try file.floats(name).values
      #expect(values.count == expected.count, "\(name)")
      return zip(values, expected).map { abs($0 - $1) }.max()! / expected.map(abs).max()!
    }
  }

  @Test(arguments: devicesUnderTest, ConvolutionAlgorithm.allCases)
  func evaluationIsThatOfPyTorch(device: Device, algorithm: ConvolutionAlgorithm) throws {
    try ConvolutionAlgorithm.$forced.withValue(algorithm) {
      let c = try Case(on: device)
      #expect(try c.error(c.network(c.images).floats(), "eval.logits") < 1e-5)
      let (loss, gradient) = try valueWithGradient(at: c.images) { try crossEntropy(c.network($0), c.labels) }
      #expect(try c.error([loss.scalar()], "eval.loss") < 1e-5)
      let byImages = Case.transposed(try gradient.floats(), c.shape[0], 1024, 3)
      #expect(try c.error(byImages, "eval.gradient.images") < 1e-3)
    }
  }

  @Test(arguments: devicesUnderTest, Mode.allCases)
  func parameterGradientsAreThoseOfPyTorch(device: Device, mode: Mode) throws {
    let c = try Case(on: device)
    let prefix = mode == .training ? "train" : "eval"
    let (loss, gradients) = try valueWithGradients(at: c.network.parameters) {
      try crossEntropy(c.network(c.images, mode: mode), c.labels)
    }
    #expect(try c.error([loss.scalar()], prefix + ".loss") < 1e-5)
    for (parameter, gradient) in zip(c.network.parameters, gradients) {
      let own = parameter.spec.layout.toTorch(try gradient.floats(), parameter.spec.shape)
      #expect(try c.error(own, "\(prefix).gradient.\(parameter.name)") < 1e-3, "\(parameter.name)")
    }
    for (name, tensor) in c.network.statistics where mode == .training {
      #expect(try c.error(tensor.floats(), "train.\(name)") < 1e-5, "\(name)")
    }
  }

  /// Weights that changed, and statistics that moved, are folded anew.
  @Test func foldedWeightsFollowTheirSources() throws {
    let c = try Case(on: .cpu(.shared))
    let before = try c.network(c.images).floats()
    _ = try c.network(c.images, mode: .training)
    let moved = try c.network(c.images).floats()
    #expect(moved != before)
    let other = try ModelCatalog.make(Self.description, seed: 1, on: .cpu(.shared))
    let tensors = Dictionary(
      uniqueKeysWithValues: try StateDict.tensors(of: other).map {
        ($0.name, (shape: $0.shape, values: $0.values))
      })
    try StateDict.load(into: c.network) { tensors[$0]! }
    #expect(try c.network(c.images).floats() == other(c.images).floats())
  }

  @Test func theWidthMultiplierIsKept() throws {
    let network = try ModelCatalog.make(Self.description, seed: 1, on: .cpu(.shared))
    try withTemporaryFolder { folder in
      try WeightsFile.write(network, to: folder + "/w.safetensors")
      let (again, metadata) = try WeightsFile.read(folder + "/w.safetensors", on: .cpu(.shared))
      #expect(metadata["width_multiplier"] == "0.125" && again.description == Self.description)
    }
    let whole = NetworkDescription(model: "resnet18", height: 32, width: 32, channels: 3, classes: 10)
    #expect(try ModelCatalog.make(whole, seed: 0, on: .cpu(.shared)).parameterCount == 11_173_962)
    let none = NetworkDescription(
      model: "resnet18", height: 32, width: 32, channels: 3, classes: 10, widthMultiplier: 0)
    #expect(throws: TemperError.self) { try ModelCatalog.make(none, seed: 0, on: .cpu(.shared)) }
  }
}
