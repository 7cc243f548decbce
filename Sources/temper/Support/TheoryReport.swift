import FileFormats
import Foundation
import Logits
import Theory

/// The figures of `temper theory`, all of them computed when it is made.
struct TheoryReport: Encodable {
  /// A linear model at the optimum of adversarial training.
  struct Logistic: Encodable {
    let epsilon: Double
    let weightNorm: Double
    let meanGap: Double
    let cleanAccuracy: Double
    let robustAccuracy: Double
    let adversarialLoss: Double
    let adversarialEntropy: Double
    let residual: Double

    enum CodingKeys: String, CodingKey {
      case epsilon, residual
      case weightNorm = "weight_norm"
      case meanGap = "mean_gap"
      case cleanAccuracy = "clean_accuracy"
      case robustAccuracy = "robust_accuracy"
      case adversarialLoss = "adversarial_loss"
      case adversarialEntropy = "adversarial_entropy"
    }
  }

  /// The gap on separable data after equal steps.
  struct Separable: Encodable {
    let reduction: Double
    let meanGap: Double

    enum CodingKeys: String, CodingKey {
      case reduction
      case meanGap = "mean_gap"
    }
  }

  /// The best scale on data with outliers, and for normal margins of equal mean and variance.
  struct Outliers: Encodable {
    let reduction: Double
    let bestScale: Double
    let scaleResponse: Double
    let normalScale: Double

    enum CodingKeys: String, CodingKey {
      case reduction
      case bestScale = "best_scale"
      case scaleResponse = "scale_response"
      case normalScale = "normal_scale"
    }
  }

  /// The largest confidence and gap that an entropy allows.
  struct Cap: Encodable {
    let entropy: Double
    let confidence: Double
    let gap: Double
  }

  let samples: Int
  let seed: UInt64
  let logistic: [Logistic]
  let separable: [Separable]
  let outliers: [Outliers]
  let decisiveMargin: Double
  let classCount: Int
  let entropyCaps: [Cap]

  enum CodingKeys: String, CodingKey {
    case samples, seed, logistic, separable, outliers
    case decisiveMargin = "decisive_margin"
    case classCount = "class_count"
    case entropyCaps = "entropy_caps"
  }

  /// - Throws: `.usage` if the data have no optimum.
  init(epsilons: [Double], samples: Int, seed: UInt64) throws {
    self.samples = samples
    self.seed = seed
    let data = BinaryLogistic(sampleCount: samples, seed: seed)
    logistic = try epsilons.map { try Logistic(data, epsilon: $0) }
    separable = [0, 0.25, 0.5].map {
      Separable(reduction: $0, meanGap: descentMargin(reduction: $0))
    }
    outliers = [0, 0.25, 0.5, 0.75, 1].map(Outliers.init)
    decisiveMargin = Theory.decisiveMargin
    classCount = 10
    entropyCaps = [0.02, 0.05, 0.2, 0.5, 1, 1.1, 1.5, 2].map { [classCount] entropy in
      Cap(
        entropy: entropy, confidence: confidenceCap(entropy: entropy, classCount: classCount),
        gap: gapCap(entropy: entropy, classCount: classCount))
    }
  }
}

extension TheoryReport.Logistic {
  init(_ data: BinaryLogistic, epsilon: Double) throws {
    guard let model = data.trained(epsilon: epsilon) else {
      throw TemperError(
        .usage, field: "--samples \(data.sampleCount)",
        "are too few: a model can classify all of them at epsilon \(epsilon), so that there is no best one",
        remedy: "Give more samples.")
    }
    self.epsilon = epsilon
    weightNorm = model.weightNorm
    meanGap = model.meanGap
    cleanAccuracy = model.cleanAccuracy
    robustAccuracy = model.robustAccuracy
    adversarialLoss = model.crossEntropy
    adversarialEntropy = model.entropy
    residual = model.residual
  }
}

extension TheoryReport.Outliers {
  /// 97 margins of 3 and 3 of -5.
  private static let margins = [Double](repeating: 3, count: 97) + [Double](repeating: -5, count: 3)

  init(reduction: Double) {
    let margins = Self.margins
    let count = Double(margins.count)
    let mean = margins.reduce(0, +) / count
    let variance = margins.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    self.reduction = reduction
    bestScale = optimalScale(margins: margins, reduction: reduction)
    scaleResponse = Theory.scaleResponse(margins: margins, reduction: reduction) ?? 0
    normalScale = optimalScale(meanMargin: mean, deviation: variance.squareRoot(), reduction: reduction)
  }
}

extension TheoryReport {
  /// The four tables with a sentence each.
  var text: String {
    [logisticText, separableText, outliersText, capsText].joined(separator: "\n\n")
  }

  private var logisticText: String {
    let rows = logistic.map {
      [
        String(format: "%g", $0.epsilon), String(format: "%.2f", $0.weightNorm),
        String(format: "%.2f", $0.meanGap), String(format: "%.3f", $0.cleanAccuracy),
        String(format: "%.3f", $0.robustAccuracy), String(format: "%.4f", $0.adversarialLoss),
        String(format: "%.4f", $0.adversarialEntropy),
      ]
    }
    let header = ["epsilon", "L1 norm", "mean gap", "clean acc", "robust acc", "adv loss", "adv entropy"]
    return """
      (a) Data that cannot all be classified under attack: AT shrinks the gap
      \(aligned([header] + rows))
      Logistic regression at its optimum: 1 strong and 40 weak features, \(samples) samples, Linf attack.
      The more the attack takes off the margins, the smaller is the best scale; there loss and entropy agree.
      """
  }

  private var separableText: String {
    let rows = separable.map { [String(format: "%g", $0.reduction), String(format: "%.2f", $0.meanGap)] }
    return """
      (b) Data that can all be classified under attack: AT does not shrink the gap
      \(aligned([["reduction", "clean gap"]] + rows))
      Margins of 1 per unit of weight, less the reduction under attack; 20000 steps of descent of 0.1.
      No scale is best, the weight grows for ever, and AT needs more of it for the same loss.
      """
  }

  private var outliersText: String {
    let rows = outliers.map {
      [
        String(format: "%g", $0.reduction), String(format: "%.3f", $0.bestScale),
        String(format: "%+.3f", $0.scaleResponse), String(format: "%.3f", $0.normalScale),
      ]
    }
    let header = ["reduction", "best scale", "its slope", "normal margins"]
    return """
      (c) A few samples that no scale can save: the best scale grows with the attack
      \(aligned([header] + rows))
      97 % of the margins are 3 and 3 % are -5; for normal margins of that mean and variance it falls.
      The scale cannot rise while all scaled margins are at most \(String(format: "%.3f", decisiveMargin)).
      """
  }

  private var capsText: String {
    let rows = entropyCaps.map {
      [
        String(format: "%g", $0.entropy), String(format: "%.4f", $0.confidence),
        String(format: "%.1f", $0.gap),
      ]
    }
    return """
      (d) An entropy caps the gap of its sample (\(classCount) classes)
      \(aligned([["entropy", "confidence", "gap"]] + rows))
      A prediction of this entropy (nats) has at most this confidence and this gap of its two largest logits.
      """
  }
}
