import Devices
import FileFormats
import Tensors

/// (x - mean) / standard deviation per channel: batch norm in evaluation mode with fixed statistics.
struct NormalizationLayer {
  private let constants: (scale: Tensor, shift: Tensor, statistics: RunningStatistics)?

  init(_ description: NetworkDescription, on device: Device) throws {
    guard let normalization = description.normalization else {
      constants = nil
      return
    }
    let (mean, deviation) = (normalization.mean, normalization.standardDeviation)
    guard mean.count == description.channels, deviation.count == description.channels,
      deviation.allSatisfy({ $0 > 0 }), mean.allSatisfy(\.isFinite)
    else {
      throw TemperError(
        .badData, field: "normalization", "needs \(description.channels) means and positive deviations")
    }
    let channels: Shape = [mean.count]
    let statistics = try RunningStatistics(
      mean: Tensor(mean, shape: channels, on: device),
      variance: Tensor(deviation.map { $0 * $0 }, shape: channels, on: device))
    constants = (
      try Tensor(repeating: 1, shape: channels, on: device),
      try Tensor(repeating: 0, shape: channels, on: device),
      statistics
    )
  }

  func callAsFunction(_ images: Tensor) throws -> Tensor {
    guard let constants else { return images }
    return try batchNorm(
      images, scale: constants.scale, shift: constants.shift, running: constants.statistics,
      mode: .evaluation,
      epsilon: 0)
  }
}
