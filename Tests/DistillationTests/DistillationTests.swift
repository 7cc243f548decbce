import Datasets
import Devices
import Distillation
import Foundation
import Logits
import Networks
import Tensors
import TestSupport
import Testing
import Training

@Suite struct DistillationTests {
  private let description = NetworkDescription(model: "mlp", height: 2, width: 2, channels: 1, classes: 3)

  private func data() throws -> ImageDataset {
    var random = Seeded(1)
    return try ImageDataset(
      name: "synthetic", height: 2, width: 2, channels: 1,
      images: (0..<28).map { _ in UInt8.random(in: 0...255, using: &random) }, labels: [0, 1, 2, 0, 1, 2, 0],
      sampleIDs: [40, 3, 12, 7, 0, 99, 5], classNames: ["a", "b", "c"])
  }

  @Test(arguments: devicesUnderTest)
  func tablesHoldTheNetworksLogits(device: Device) throws {
    let network = try ModelCatalog.make(description, seed: 1, on: device)
    let source = try DeviceDataset(data(), on: device)
    let table = try LogitTable(of: network, over: source, batchSize: 3)
    let whole = try network(source.batch(0..<7).images).floats()
    #expect(table.sampleIDs == [40, 3, 12, 7, 0, 99, 5] && table.labels == [0, 1, 2, 0, 1, 2, 0])
    #expect(zip(table.logits, whole).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  /// The loss is T^2 KL of the rows that belong to the batch's samples, and 0 for a student that is its teacher.
  @Test(arguments: devicesUnderTest, [Float(1), 4])
  func lossMatchesItsFormula(device: Device, temperature: Float) throws {
    let teacher = try ModelCatalog.make(description, seed: 1, on: device)
    let student = try ModelCatalog.make(description, seed: 2, on: device)
    let source = try DeviceDataset(data(), on: device)
    let table = try LogitTable(of: teacher, over: source)
    let objective = try DistillationObjective(table, temperature: temperature, on: device)
    let batch = try source.batch([5, 0, 2])
    #expect(abs(try objective.loss(teacher, batch.images, batch).scalar()) < 1e-6)
    let logits = try student(batch.images).floats()
    var expected = 0.0
    for (row, position) in [5, 0, 2].enumerated() {
      let q = softmax((0..<3).map { Double(table.logits[position * 3 + $0]) / Double(temperature) })
      let p = softmax((0..<3).map { Double(logits[row * 3 + $0]) / Double(temperature) })
      expected += zip(q, p).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
    }
    expected *= Double(temperature * temperature) / 3
    #expect(abs(Double(try objective.loss(student, batch.images, batch).scalar()) - expected) < 1e-5)
    #expect(throws: (any Error).self) { try DistillationObjective(table, temperature: 0, on: device) }
  }

  /// A run keeps what its device rounds operands to: float32 once the checks have given tensor cores up.
  @Test(.enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: precision of runs: no OpenCL device"))
  func runsKeepThePrecisionOfTheirDevice() throws {
    let device = try OpenCL(
      OpenCLDeviceInfo.all[0], kernelShape: .gpu, cache: nil, emulatesMatrixUnits: true)
    func kept() -> String? {
      Run(TrainingConfiguration(), folder: RunFolder("run"), dataFolder: nil, device: .openCL(device))
        .configuration.precision
    }
    #expect(kept() == nil)
    for precision in [Precision.tf32, .bf16] {
      try device.setPrecision(precision)
      #expect(kept() == precision.rawValue)
    }
    try device.disable(OpenCL.matrixVariant)
    #expect(kept() == nil && device.kernelShape == .gpu)
  }

  private func softmax(_ z: [Double]) -> [Double] {
    let exponentials = z.map { exp($0 - z.max()!) }
    return exponentials.map { $0 / exponentials.reduce(0, +) }
  }
}
