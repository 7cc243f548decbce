import Attacks
import Datasets
import Devices
import FileFormats
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct PGDTests {
  private func load(_ model: String, on device: Device) throws -> (any Network, Safetensors, Batch) {
    let name = model == "mlp" ? "mlp" : "small_cnn"
    let description = NetworkDescription(model: model, height: 28, width: 28, channels: 1, classes: 10)
    let (network, _) = try WeightsFile.read(
      fixture("\(name).safetensors"), model: model, fallback: description, on: device)
    let file = try Safetensors(contentsOf: fixture("\(name)_case.safetensors"))
    let (shape, pixels) = try file.floats("images")
    let labels = try file.int32s("labels").values
    let batch = Batch(
      images: try Tensor(pixels, shape: [shape[0], 28, 28, 1], on: device),
      labels: try Tensor(labels, on: device),
      sampleIDs: try Tensor((0..<Int32(shape[0])).map { $0 }, on: device))
    return (network, file, batch)
  }

  /// The share of pixels that agree with PyTorch's within 1e-5.
  private func agreement(_ a: [Float], _ b: [Float]) -> Double {
    Double(zip(a, b).lazy.filter { abs($0 - $1) < 1e-5 }.count) / Double(b.count)
  }

  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesUnderTest, ["small-cnn", "mlp"])
  func attacksFollowPyTorch(device: Device, model: String) throws {
    try ConvolutionAlgorithm.$forced.withValue(.direct) { try compareWithPyTorch(device, model) }
  }

  private func compareWithPyTorch(_ device: Device, _ model: String) throws {
    let (network, file, batch) = try load(model, on: device)
    let linf = ThreatModel(.linf, Epsilon(0.1))
    let pgd = try PGD(linf, stepSize: 0.025, steps: 7, randomStart: false)
    let l2 = try PGD(ThreatModel(.l2, Epsilon(1)), stepSize: 0.25, steps: 7, randomStart: false)
    for (name, attack) in [("pgd_linf", pgd), ("fgsm", PGD.fgsm(linf)), ("pgd_l2", l2)] {
      let images = try attack.perturb(batch, against: network).floats()
      let expected = try file.floats(name).values
      // L2 images are scaled to a radius that is smaller by rounding's share; see Ball.safeRadius.
      let share =
        name == "pgd_l2"
        ? Double(zip(images, expected).lazy.filter { abs($0 - $1) < 1e-4 }.count) / Double(images.count)
        : agreement(images, expected)
      #expect(share >= 0.999, "\(name): \(share)")
    }
  }

  @Test(arguments: devicesUnderTest)
  func linearModelsReachTheOptimum(device: Device) throws {
    // For one linear layer the worst Linf perturbation is epsilon * sign(w_other - w_label), clipped.
    let network = try LinearNetwork(on: device)
    let pixels: [Float] = [0.5, 0.5, 0.02, 0.97]
    let batch = Batch(
      images: try Tensor(pixels, shape: [1, 2, 2, 1], on: device), labels: try Tensor([Int32(0)], on: device),
      sampleIDs: try Tensor([Int32(0)], on: device))
    let attack = try PGD(ThreatModel(.linf, Epsilon(0.1)), stepSize: 0.04, steps: 10)
    let images = try attack.perturb(batch, against: network).floats()
    for (a, b) in zip(images, [0.4, 0.6, 0, 1] as [Float]) { #expect(abs(a - b) < 1e-6) }
  }

  @Test(.enabled(if: !isUnderOclgrind), arguments: devicesUnderTest)
  func lawsOfEvaluation(device: Device) throws {
    let (network, _, batch) = try load("mlp", on: device)
    let source = OneBatch(batch: batch)
    func accuracy(_ epsilon: Double, restarts: Int = 1, losses: [AttackLoss] = [.crossEntropy]) throws
      -> Double
    {
      let settings = EvaluationSettings(
        .pgd, ThreatModel(.linf, Epsilon(epsilon)), stepSize: Float(epsilon / 4), steps: 10,
        restarts: restarts,
        losses: losses)
      return try RobustEvaluation(of: network, on: source, settings: settings).robustAccuracy
    }
    let clean = try RobustEvaluation(
      of: network, on: source,
      settings: EvaluationSettings(.none, ThreatModel(.linf, Epsilon(0)), stepSize: 0, steps: 0)
    ).cleanAccuracy
    #expect(try accuracy(0) == clean)
    #expect(try accuracy(1) == 0)
    #expect(try accuracy(0.05, restarts: 3, losses: [.crossEntropy, .margin]) <= accuracy(0.05))
    let attack = try PGD(ThreatModel(.linf, Epsilon(0.1)), stepSize: 0, steps: 3, randomStart: false)
    #expect(try attack.perturb(batch, against: network).floats() == batch.images.floats())
  }

  @Test func epsilonsAreExact() throws {
    #expect(try Epsilon("8/255").value == 8.0 / 255 && Epsilon("8/255").text == "8/255")
    #expect(try Epsilon("0.1").value == 0.1 && Epsilon(" 8 / 255 ").value == 8.0 / 255)
    for text in ["-0.1", "-8/255", "8/0", "a", "", "1/2/3", "nan", "inf"] {
      #expect(throws: TemperError.self, "\(text)") { try Epsilon(text) }
    }
  }

  @Test func senselessSettingsThrow() throws {
    let threat = ThreatModel(.linf, Epsilon(0.1))
    #expect(throws: TemperError.self) { try PGD(threat, stepSize: -1, steps: 1) }
    #expect(throws: TemperError.self) { try PGD(threat, stepSize: .nan, steps: 1) }
    #expect(throws: TemperError.self) { try PGD(threat, stepSize: 1, steps: -1) }
    #expect(throws: TemperError.self) {
      try EvaluationSettings(.pgd, threat, stepSize: 1, steps: 1, restarts: 0).attacks()
    }
  }
}

/// A batch as a source of batches.
private struct OneBatch: BatchSource {
  let batch: Batch
  var count: Int { batch.count }
  func batch(_ range: Range<Int>) throws -> Batch { batch }
}

/// Two classes of four pixels: logits x W.
private final class LinearNetwork: Network {
  let description = NetworkDescription(model: "linear", height: 2, width: 2, channels: 1, classes: 2)
  let store: ParameterStore
  private let weight: Tensor

  init(on device: Device) throws {
    store = try ParameterStore([], seed: 0, on: device)
    weight = try Tensor([1, 0, -2, 1, 3, 0, 0, 0.5], shape: [4, 2], on: device)
  }

  func logits(_ images: Tensor, mode: Mode) throws -> Tensor { try matmul(images.flattened(), weight) }
}
