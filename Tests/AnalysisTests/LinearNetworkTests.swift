import Analysis
import Attacks
import Datasets
import Devices
import Distillation
import Logits
import Networks
import Tensors
import TestSupport
import Testing
import Theory

/// Logits that are a matrix times the pixels: what first-order predictions say holds exactly.
private final class LinearNetwork: Network {
  let description: NetworkDescription
  let store: ParameterStore
  private let weights: Tensor

  /// - Parameter weights: (6, classes) row-major.
  init(_ weights: [Float], classes: Int, on device: Device) throws {
    description = NetworkDescription(model: "mlp", height: 3, width: 2, channels: 1, classes: classes)
    store = try ModelCatalog.make(description, seed: 0, on: device).store
    self.weights = try Tensor(weights, shape: [6, classes], on: device)
  }

  func logits(_ images: Tensor, mode: Mode) throws -> Tensor { try matmul(images.flattened(), weights) }
}

@Suite struct LinearNetworkTests {
  private struct Case {
    let check: LinearCheck
    let pairs: [(predicted: Double, attacked: Double)]
  }

  /// Images with pixels in a range, labelled as the network classifies them, and their margins under PGD.
  private func check(_ pixels: ClosedRange<UInt8>, classes: Int, on device: Device) throws -> Case {
    var random = Seeded(UInt64(classes))
    let weights = (0..<6 * classes).map { _ in Float.random(in: -2...2, using: &random) }
    let network = try LinearNetwork(weights, classes: classes, on: device)
    let bytes = (0..<60 * 6).map { _ in UInt8.random(in: pixels, using: &random) }
    func images(_ labels: [Int32]) throws -> ImageDataset {
      try ImageDataset(
        name: "synthetic", height: 3, width: 2, channels: 1, images: bytes, labels: labels,
        classNames: (0..<classes).map { "\($0)" })
    }
    let unlabelled = try DeviceDataset(images([Int32](repeating: 0, count: 60)), on: device)
    let labels = try LogitTable(of: network, over: unlabelled).measures().predicted
    let source = try DeviceDataset(images(labels), on: device)
    let clean = try LogitTable(of: network, over: source, measuresGradients: true)
    let attack = try PGD(ThreatModel(.linf, Epsilon("0.1")), stepSize: 0.05, steps: 20)
    let attacked = try LogitTable(of: network, over: source, attack: attack)
    let reductions = try LinearReductions(of: network, over: source, epsilon: 0.1, batchSize: 25)
    let check = try #require(
      LinearCheck(
        name: "linear", clean: clean, attacked: attacked, reductions: reductions,
        bounds: worstCrossEntropyBounds))
    let margins = attacked.measures().margin!
    let pairs = (0..<60).map { row in
      let other = (0..<classes).filter { $0 != Int(labels[row]) }.map { j in
        Double(clean.row(row)[row * classes + Int(labels[row])] - clean.row(row)[row * classes + j])
          - Double(reductions.clipped[row * classes + j])
      }
      return (predicted: other.min()!, attacked: margins[row])
    }
    return Case(check: check, pairs: pairs)
  }

  /// Every sample's margin under attack is the predicted one up to sums of floats of about 10.
  @Test(arguments: devicesUnderTest)
  func twoClassesAreExact(device: Device) throws {
    let inside = try check(60...190, classes: 2, on: device)
    #expect(inside.pairs.allSatisfy { abs($0.predicted - $0.attacked) < 2e-5 })
    for prediction in LinearCheck.Prediction.allCases {
      let figures = try #require(inside.check.predictions[prediction])
      #expect(abs(figures.predictedMargin - inside.check.attackedMargin) < 1e-5)
      #expect(figures.held == 1 && figures.flips.agreement == 1)
      let ratio = try #require(figures.dropRatio)
      #expect(abs(ratio.mean - 1) < 1e-5 && ratio.standardDeviation < 1e-4)
      if let loss = figures.loss {
        #expect(abs(loss.lower - inside.check.attackedLoss) < 1e-5 && abs(loss.lower - loss.upper) < 1e-12)
        #expect(loss.within == 1)
      }
    }
    #expect(inside.check.flipped > 0.1 && inside.check.flipped < 0.9)
  }

  /// Where pixels cannot leave [0, 1] only the prediction that knows of it is exact.
  @Test(arguments: devicesUnderTest)
  func pixelsAtTheBorderTakeLess(device: Device) throws {
    let border = try check(0...255, classes: 2, on: device)
    #expect(border.pairs.allSatisfy { abs($0.predicted - $0.attacked) < 2e-5 })
    let clipped = try #require(border.check.predictions[.clipped])
    #expect(abs(try #require(clipped.dropRatio).mean - 1) < 1e-5 && clipped.flips.agreement == 1)
    let ball = try #require(border.check.predictions[.ball]?.dropRatio)
    #expect(ball.quantiles.p5 < 0.95 && ball.quantiles.p95 <= 1 + 1e-5)
  }

  /// With more classes no attack goes below the predicted margin, and losses keep to their bounds.
  @Test(arguments: devicesUnderTest)
  func moreClassesKeepToTheBounds(device: Device) throws {
    let check = try check(0...255, classes: 4, on: device).check
    let figures = try #require(check.predictions[.clipped])
    #expect(figures.held == 1 && figures.loss?.within == 1)
    let loss = try #require(figures.loss)
    #expect(loss.lower < check.attackedLoss && check.attackedLoss < loss.upper)
    #expect(try #require(figures.dropRatio).mean > 0.8)
  }
}
