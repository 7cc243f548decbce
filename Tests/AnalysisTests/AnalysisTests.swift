import Analysis
import Attacks
import Datasets
import Devices
import Distillation
import Foundation
import Logits
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct AnalysisTests {
  private let description = NetworkDescription(model: "mlp", height: 3, width: 2, channels: 1, classes: 4)

  private func images(_ count: Int = 9) throws -> ImageDataset {
    var random = Seeded(3)
    return try ImageDataset(
      name: "synthetic", height: 3, width: 2, channels: 1,
      images: (0..<count * 6).map { _ in UInt8.random(in: 0...255, using: &random) },
      labels: (0..<count).map { Int32($0 % 4) }, classNames: ["a", "b", "c", "d"])
  }

  private func attack(steps: Int = 5) throws -> PGD {
    try PGD(ThreatModel(.linf, Epsilon("0.1")), stepSize: 0.05, steps: steps)
  }

  /// Against central differences of the gap, pixel by pixel.
  @Test(arguments: devicesUnderTest)
  func gradientNormsAreThoseOfTheGap(device: Device) throws {
    let network = try ModelCatalog.make(description, seed: 1, on: device)
    let source = try DeviceDataset(images(), on: device)
    let table = try LogitTable(of: network, over: source, measuresGradients: true, batchSize: 4)
    let norms = try #require(table.gapGradientNorms)
    let pixels = try source.batch(0..<9).images.floats()
    let predicted = table.measures().predicted
    func gaps(_ values: [Float]) throws -> [Double] {
      let logits = try network(Tensor(values, shape: [9, 3, 2, 1], on: device)).floats()
      return (0..<9).map { row in
        let z = (0..<4).map { Double(logits[row * 4 + $0]) }
        let top = Int(predicted[row])
        return z[top] - (0..<4).filter { $0 != top }.map { z[$0] }.max()!
      }
    }
    var expected = [Double](repeating: 0, count: 9)
    let step: Float = 1e-4
    for pixel in 0..<6 {
      let (up, down) = try (
        gaps(pixels.enumerated().map { $0 % 6 == pixel ? $1 + step : $1 }),
        gaps(pixels.enumerated().map { $0 % 6 == pixel ? $1 - step : $1 })
      )
      for row in 0..<9 { expected[row] += abs(up[row] - down[row]) / Double(2 * step) }
    }
    for (norm, value) in zip(norms, expected) {
      // Six differences of floats near 0.1 over 2e-4.
      #expect(abs(Double(norm) - value) < 1e-2, "\(norm), \(value)")
    }
  }

  @Test(arguments: devicesUnderTest)
  func attackedTablesHoldLargerLosses(device: Device) throws {
    let network = try ModelCatalog.make(description, seed: 2, on: device)
    let source = try DeviceDataset(images(), on: device)
    func loss(_ attack: any Attack) throws -> Double {
      let table = try LogitTable(of: network, over: source, attack: attack)
      return table.measures().values(.crossEntropy)!.reduce(0, +) / 9
    }
    let clean = try loss(NoAttack())
    #expect(try loss(attack()) > clean)
    #expect(try loss(attack(steps: 0)) != clean)  // the random start
  }

  /// The curve is convex up to the attack's noise, its value at 1 is the attacked loss, and small scales tend to log K.
  @Test(arguments: devicesUnderTest)
  func scaleCurveIsTheAdversarialLoss(device: Device) throws {
    let network = try ModelCatalog.make(description, seed: 2, on: device)
    let source = try DeviceDataset(images(40), on: device)
    let curve = try ScaleCurve(of: network, over: source, attack: attack(), limit: 40)
    let attacked = try LogitTable(of: network, over: source, attack: attack(), limit: 40)
    let loss = attacked.measures().values(.crossEntropy)!.reduce(0, +) / 40
    #expect(abs(curve.lossAtOne - loss) < 1e-6)
    #expect(abs(curve.lossAtZero - log(4)) < 1e-12)
    #expect(curve.points.map(\.scale) == curve.points.map(\.scale).sorted())
    #expect(abs(curve.points[0].loss - log(4)) < 0.02)
    for (a, (b, c)) in zip(curve.points, zip(curve.points.dropFirst(), curve.points.dropFirst(2))) {
      let share = (b.scale - a.scale) / (c.scale - a.scale)
      #expect(b.loss <= a.loss * (1 - share) + c.loss * share + 1e-3)
    }
    #expect(curve.points.allSatisfy { $0.loss >= curve.lowestLoss } && curve.lossAtZero >= curve.lowestLoss)
  }

  @Test func featuresOfKnownImages() throws {
    let set = try ImageDataset(
      name: "known", height: 2, width: 2, channels: 1, images: [0, 255, 0, 255, 51, 51, 51, 51],
      labels: [0, 0], classNames: ["a", "b"])
    #expect(set.brightness == [0.5, 0.2])
    #expect(set.edgeEnergy == [0.5, 0])
  }
}
