import Devices
import Randomness
import Tensors

/// Labelled images in a device's memory, as bytes; batches are gathered and augmented there.
public final class DeviceDataset: BatchSource {
  /// The same images in host memory.
  public let source: ImageDataset
  private let device: Device
  private let images: Tensor
  private let labels: Tensor
  private let sampleIDs: Tensor

  /// Copies a data set to a device.
  public init(_ source: ImageDataset, on device: Device) throws {
    self.source = source
    self.device = device
    images = try Tensor(
      source.images, shape: [source.count, source.height, source.width, source.channels], on: device)
    labels = try Tensor(source.labels, on: device)
    sampleIDs = try Tensor(source.sampleIDs, on: device)
  }

  /// Number of images.
  public var count: Int { source.count }

  /// The order of an epoch's images: a permutation that depends on the seed and the epoch alone.
  public func order(seed: UInt64, epoch: Int) -> [Int] {
    var stream = RandomStream(seed: seed, purpose: .order, epoch: UInt32(epoch))
    return stream.permutation(of: count)
  }

  /// The images of a range of positions, copied or gathered to the device.
  public func batch(_ range: Range<Int>) throws -> Batch { try batch(range.map { Int32($0) }) }

  /// The images at some positions.
  public func batch(_ positions: [Int32], _ augmentation: Augmentation? = nil) throws -> Batch {
    let indices = try Tensor(positions, on: device)
    let ids = try gatherLabels(sampleIDs, indices: indices)
    return Batch(
      images: try gatherBatch(images: images, indices: indices, augmentation: augmentation, sampleIDs: ids),
      labels: try gatherLabels(labels, indices: indices), sampleIDs: ids)
  }
}
