import Foundation
import Training

/// Prints a training run's progress: a line that is redrawn on a terminal, a plain line every ten seconds
/// elsewhere, and one line per finished epoch.
final class TrainingProgressPrinter {
  private let title: String
  private var lastPlain = ContinuousClock.now
  private let start = ContinuousClock.now

  init(_ title: String) { self.title = title }

  func report(_ progress: TrainingProgress) {
    if let epoch = progress.finishedEpoch { return finished(progress, epoch) }
    let percent = 100 * progress.batch / max(1, progress.batches)
    let line = String(
      format: "%@: epoch %d/%d, batch %d/%d (%d%%), loss %.4f, %.0f images/s, %@ left", title, progress.epoch,
      progress.epochs, progress.batch, progress.batches, percent, progress.loss, progress.imagesPerSecond,
      timeLeft(progress))
    if Console.isTerminal {
      Console.transient(line)
    } else if ContinuousClock.now - lastPlain > .seconds(10) {
      lastPlain = .now
      Console.note(line)
    }
  }

  private func finished(_ progress: TrainingProgress, _ epoch: EpochMetrics) {
    Console.clearTransient()
    let robust = epoch.validationRobustAccuracy.map { String(format: ", robust %.2f %%", $0 * 100) } ?? ""
    Console.note(
      String(
        format: "%@: epoch %d/%d, loss %.4f, validation accuracy %.2f %%%@, %.0f images/s, %.0f s", title,
        progress.epoch, progress.epochs, epoch.loss, epoch.validationAccuracy * 100, robust,
        epoch.imagesPerSecond, epoch.seconds))
  }

  private func timeLeft(_ progress: TrainingProgress) -> String {
    let done = Double(progress.epoch - 1) + Double(progress.batch) / Double(max(1, progress.batches))
    guard progress.imagesPerSecond > 0, done > 0 else { return "?" }
    let secondsPerEpoch = (ContinuousClock.now - start) / .seconds(1) / done
    return Duration.seconds(secondsPerEpoch * (Double(progress.epochs) - done))
      .formatted(.units(allowed: [.hours, .minutes, .seconds], width: .narrow, maximumUnitCount: 2))
  }
}
