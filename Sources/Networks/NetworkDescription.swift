import FileFormats
import Tensors

/// Subtraction of a mean and division by a standard deviation per channel, applied inside the network.
public struct Normalization: Sendable, Equatable, Codable {
  /// Per channel, in pixel units of [0, 1].
  public let mean: [Float]
  /// Per channel, in pixel units of [0, 1]; positive.
  public let standardDeviation: [Float]

  /// Creates a normalisation.
  public init(mean: [Float], standardDeviation: [Float]) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }
}

/// What a network is: its architecture, its images and its classes.
public struct NetworkDescription: Sendable, Equatable {
  /// Name of the architecture, such as `small-cnn`.
  public let model: String
  /// Extents of an image.
  public let height: Int
  /// Columns of an image.
  public let width: Int
  /// Channels of an image.
  public let channels: Int
  /// Number of classes.
  public let classes: Int
  /// Factor of the channels of architectures that have one, such as `resnet18`.
  public let widthMultiplier: Double
  /// Applied to the images first, or nil for none.
  public let normalization: Normalization?

  /// Creates a description.
  public init(
    model: String, height: Int, width: Int, channels: Int, classes: Int, widthMultiplier: Double = 1,
    normalization: Normalization? = nil
  ) {
    self.model = model
    self.height = height
    self.width = width
    self.channels = channels
    self.classes = classes
    self.widthMultiplier = widthMultiplier
    self.normalization = normalization
  }

  /// Channels, height and width, as the images of PyTorch have them.
  public var extents: [Int] { [channels, height, width] }

  func check(_ images: Shape) throws {
    guard images.rank == 4, images[1] == height, images[2] == width, images[3] == channels else {
      throw TemperError(
        .badData, field: "images",
        "have the shape \(images); \(model) takes (N, \(height), \(width), \(channels)) here",
        remedy: "Use images of that size, or a network trained on images of this one.")
    }
  }
}
