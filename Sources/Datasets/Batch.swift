import Tensors

/// A few samples on a device.
public struct Batch {
  /// (N, H, W, C), in [0, 1].
  public let images: Tensor
  /// (N), int32.
  public let labels: Tensor
  /// (N), int32: each sample's index in the original data set, which keys its random numbers.
  public let sampleIDs: Tensor

  /// Creates a batch.
  public init(images: Tensor, labels: Tensor, sampleIDs: Tensor) {
    self.images = images
    self.labels = labels
    self.sampleIDs = sampleIDs
  }

  /// Number of samples.
  public var count: Int { images.shape[0] }
}

/// Labelled images that are read batch by batch.
public protocol BatchSource {
  /// Number of images.
  var count: Int { get }
  /// The images of a range of positions.
  func batch(_ range: Range<Int>) throws -> Batch
}

extension BatchSource {
  /// The positions in ranges of `size`, the last one perhaps smaller.
  /// - Parameter limit: images in all, or nil for every one.
  public func ranges(of size: Int, limit: Int? = nil) -> [Range<Int>] {
    let end = min(count, limit ?? count)
    return stride(from: 0, to: end, by: size).map { $0..<min(end, $0 + size) }
  }
}
