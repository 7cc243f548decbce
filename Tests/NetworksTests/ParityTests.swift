import Devices
import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Networks against PyTorch; the fixtures are made by tools/reference/make_fixtures.py.
@Suite(.enabled(if: !isUnderOclgrind)) struct ParityTests {
  static let models = [("small-cnn", "small_cnn"), ("mlp", "mlp")]

  /// A fixture's network, images (N, H, W, C) and labels.
  static func load(_ model: String, _ name: String, on device: Device) throws -> (
    network: any Network, file: Safetensors, images: Tensor, labels: Tensor
  ) {
    let description = NetworkDescription(model: model, height: 28, width: 28, channels: 1, classes: 10)
    let (network, _) = try WeightsFile.read(
      fixture("\(name).safetensors"), model: model, fallback: description, on: device)
    let file = try Safetensors(contentsOf: fixture("\(name)_case.safetensors"))
    let (shape, pixels) = try file.floats("images")
    let labels = try file.int32s("labels").values
    return (
      network, file, try Tensor(pixels, shape: [shape[0], 28, 28, 1], on: device),
      try Tensor(labels, on: device)
    )
  }

  /// The largest difference over the largest expected value.
  private func relativeError(_ a: [Float], _ b: [Float]) -> Float {
    let scale = b.map(abs).max()!
    return zip(a, b).map { abs($0 - $1) }.max()! / scale
  }

  /// Under direct convolutions: in the flat background of a clean image the four values of a pool's window are
  /// equal but for rounding, which decides where the gradient goes.
  @Test(arguments: devicesUnderTest, models)
  func logitsAndGradientsAreThose(device: Device, model: (String, String)) throws {
    try ConvolutionAlgorithm.$forced.withValue(.direct) { try compareWithPyTorch(device, model) }
  }

  /// Winograd's algorithm against direct convolutions on images without flat regions.
  @Test func winogradAgreesWithDirectConvolutions() throws {
    let (network, _, images, labels) = try Self.load("small-cnn", "small_cnn", on: .cpu(.shared))
    var random = Seeded(5)
    let noisy = zip(try images.floats(), random.floats(images.shape.count, in: 0...0.1)).map {
      min(1, $0 + $1)
    }
    let x = try Tensor(noisy, shape: images.shape, on: images.device)
    let results = try ConvolutionAlgorithm.allCases.map { algorithm in
      try ConvolutionAlgorithm.$forced.withValue(algorithm) {
        let byImages = try valueWithGradient(at: x) { try crossEntropy(try network($0), labels) }.gradient
        let byWeights = try valueWithGradients(at: network.parameters) {
          try crossEntropy(try network(x, mode: .training), labels)
        }.gradients
        return try [network(x).floats(), byImages.floats()] + byWeights.map { try $0.floats() }
      }
    }
    #expect(results[0] != results[1], "both ran the same algorithm")
    for (direct, winograd) in zip(results[0], results[1]) { #expect(relativeError(winograd, direct) < 1e-4) }
  }

  private func compareWithPyTorch(_ device: Device, _ model: (String, String)) throws {
    let (network, file, images, labels) = try Self.load(model.0, model.1, on: device)
    let expected = try file.floats("logits").values
    for (a, b) in zip(try network(images).floats(), expected) { #expect(abs(a - b) < 1e-4) }
    let (loss, byImages) = try valueWithGradient(at: images) { try crossEntropy(try network($0), labels) }
    #expect(abs(try loss.scalar() - (try file.floats("loss").values[0])) < 1e-5)
    #expect(relativeError(try byImages.floats(), try file.floats("gradient.images").values) < 1e-3)
    let (_, gradients) = try valueWithGradients(at: network.parameters) {
      try crossEntropy(try network(images, mode: .training), labels)
    }
    for (parameter, gradient) in zip(network.parameters, gradients) {
      let torch = try file.floats("gradient.\(parameter.name)").values
      let own = parameter.spec.layout.toTorch(try gradient.floats(), parameter.spec.shape)
      #expect(relativeError(own, torch) < 1e-3, "\(parameter.name)")
    }
  }

  /// Temper writes what it read: the same tensors under the same names.
  @Test func weightsSurviveARoundTrip() throws {
    for (model, name) in Self.models {
      let (network, _, _, _) = try Self.load(model, name, on: .cpu(.shared))
      let (again, metadata) = try withTemporaryFolder { folder in
        try WeightsFile.write(network, to: folder + "/w.safetensors", metadata: ["dataset": "x"])
        return try WeightsFile.read(folder + "/w.safetensors", on: .cpu(.shared))
      }
      #expect(metadata["dataset"] == "x" && metadata["model"] == model)
      let original = try Safetensors(contentsOf: fixture("\(name).safetensors"))
      for tensor in try StateDict.tensors(of: again) {
        let (shape, values) = try original.floats(tensor.name)
        #expect(shape == tensor.shape && values == tensor.values, "\(tensor.name)")
      }
    }
  }

  @Test func smallCNNHasTheCountOfItsSource() throws {
    let description = NetworkDescription(model: "small-cnn", height: 28, width: 28, channels: 1, classes: 10)
    #expect(try ModelCatalog.make(description, seed: 0, on: .cpu(.shared)).parameterCount == 312_202)
  }

  /// A state dict that Temper wrote loads strictly into PyTorch's module and gives the same logits.
  @Test(
    .enabled(if: pythonWithTorch != nil, "no Python with torch and safetensors (TEMPER_PYTHON)"),
    arguments: models)
  func pythonLoadsWhatTemperWrites(model: (String, String)) throws {
    try withTemporaryFolder { folder in
      let (network, _, images, _) = try Self.load(model.0, model.1, on: .cpu(.shared))
      try WeightsFile.write(network, to: folder + "/w.safetensors")
      let logits = try network(images)
      try NpyArray(shape: logits.shape.dimensions, .float32(try logits.floats())).write(
        to: folder + "/logits.npy")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: pythonWithTorch!)
      process.arguments = [
        repositoryRoot + "/tools/reference/check_safetensors.py", folder + "/w.safetensors", "--model",
        model.0,
        "--images", fixture("\(model.1)_images.npy"), "--expect", folder + "/logits.npy",
      ]
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
  }

  @Test func normalizationIsALayer() throws {
    let plain = NetworkDescription(model: "mlp", height: 4, width: 4, channels: 1, classes: 3)
    let normalized = NetworkDescription(
      model: "mlp", height: 4, width: 4, channels: 1, classes: 3,
      normalization: Normalization(mean: [0.25], standardDeviation: [0.5]))
    for device in devicesUnderTest {
      let (a, b) = (
        try ModelCatalog.make(plain, seed: 1, on: device),
        try ModelCatalog.make(normalized, seed: 1, on: device)
      )
      var random = Seeded(1)
      let pixels = random.floats(32, in: 0...1)
      let x = try Tensor(pixels, shape: [2, 4, 4, 1], on: device)
      let shifted = try Tensor(pixels.map { ($0 - 0.25) / 0.5 }, shape: [2, 4, 4, 1], on: device)
      for (p, q) in zip(try b(x).floats(), try a(shifted).floats()) { #expect(abs(p - q) < 1e-5) }
    }
  }

  /// The same seed gives the same initial weights on every device, bit for bit.
  @Test func initialWeightsAreEqualEverywhere() throws {
    let description = NetworkDescription(model: "small-cnn", height: 28, width: 28, channels: 1, classes: 10)
    let all = try devicesUnderTest.map { device in
      try StateDict.tensors(of: ModelCatalog.make(description, seed: 3, on: device)).map(\.values)
    }
    #expect(all.allSatisfy { $0 == all[0] })
    let other = try ModelCatalog.make(description, seed: 4, on: .cpu(.shared))
    #expect(try StateDict.tensors(of: other)[0].values != all[0][0])
  }
}

/// A Python that has torch and safetensors: TEMPER_PYTHON, else the benchmark's environment in .venv.
let pythonWithTorch: String? = {
  let candidates = [
    ProcessInfo.processInfo.environment["TEMPER_PYTHON"], repositoryRoot + "/.venv/bin/python",
  ]
  return candidates.compactMap { $0 }.first { path in
    guard FileManager.default.isExecutableFile(atPath: path) else { return false }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = ["-c", "import torch, safetensors"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}()
