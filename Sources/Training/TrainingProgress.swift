import Foundation

/// How far a run is.
public struct TrainingProgress: Sendable {
  /// From 1.
  public let epoch: Int
  /// Epochs of the run.
  public let epochs: Int
  /// Batches done in this epoch.
  public let batch: Int
  /// Batches of an epoch.
  public let batches: Int
  /// Mean loss of this epoch so far, in nats.
  public let loss: Double
  /// Training images per second in this epoch.
  public let imagesPerSecond: Double
  /// Set once per epoch, when it is finished and validated.
  public let finishedEpoch: EpochMetrics?
}

/// One line of `metrics.csv`.
public struct EpochMetrics: Sendable {
  /// From 1.
  public let epoch: Int
  /// At the end of the epoch.
  public let learningRate: Double
  /// Mean training loss in nats.
  public let loss: Double
  /// Share of the validation images that are right.
  public let validationAccuracy: Double
  /// The same under the training attack; adversarial training only.
  public let validationRobustAccuracy: Double?
  /// Of training alone.
  public let imagesPerSecond: Double
  /// Of the epoch with its validation.
  public let seconds: Double

  static let csvHeader =
    "epoch,lr,train_loss,validation_accuracy,validation_robust_accuracy,images_per_second,seconds"

  var csvLine: String {
    let robust = validationRobustAccuracy.map { "\($0)" } ?? ""
    return [
      "\(epoch)", "\(learningRate)", "\(loss)", "\(validationAccuracy)", robust,
      String(format: "%.1f", imagesPerSecond), String(format: "%.1f", seconds),
    ].joined(separator: ",")
  }
}

/// Wall time since an epoch began or went on.
struct EpochClock {
  private let start = ContinuousClock.now
  private let firstImages: Int

  /// - Parameter images: already done when the clock starts.
  init(_ images: Int) { firstImages = images }

  var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  func rate(_ images: Int) -> Double { Double(images - firstImages) / max(seconds, 1e-9) }
}
