import Datasets
import Devices
import FileFormats
import Logits
import Networks
import Tensors
import Training

/// Distillation on clean images without labels (Hinton et al. 2015, alpha = 1): the loss is
/// T^2 KL(softmax(teacher / T) || softmax(student / T)), its mean over the batch.
public struct DistillationObjective: Objective {
  private let teacher: Tensor
  private let temperature: Float

  /// Puts a teacher's logits on a device.
  /// - Parameters:
  ///   - table: the teacher's logits, perhaps manipulated, for every training image by its sample ID.
  ///   - temperature: above 0.
  public init(_ table: LogitTable, temperature: Float, on device: Device) throws {
    guard temperature > 0, temperature.isFinite else {
      throw TemperError(.usage, field: "--temperature", "is \(temperature)", remedy: "Give a number above 0.")
    }
    guard let last = table.sampleIDs.max(), let first = table.sampleIDs.min(), first >= 0, last < 1 << 28
    else {
      throw TemperError(.badData, field: "sample_ids", "of the teacher's logits are out of range")
    }
    var rows = [Float](repeating: 0, count: (Int(last) + 1) * table.classCount)
    for (row, id) in table.sampleIDs.enumerated() {
      rows.replaceSubrange(
        Int(id) * table.classCount..<(Int(id) + 1) * table.classCount, with: table.row(row))
    }
    teacher = try Tensor(rows, shape: [Int(last) + 1, table.classCount], on: device)
    self.temperature = temperature
  }

  /// See ``Objective``.
  public func images(_ batch: Batch, model: any Network, epoch: Int) throws -> Tensor { batch.images }

  /// See ``Objective``.
  public func loss(_ model: any Network, _ images: Tensor, _ batch: Batch) throws -> Tensor {
    let target = try gatherRows(teacher, indices: batch.sampleIDs)
    let student = try model(images, mode: .training)
    return try scale(
      klDivergence(teacher: target, student: student, temperature: temperature, reduction: .batchMean),
      by: temperature * temperature)
  }
}
