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
