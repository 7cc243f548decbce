import FileFormats

/// Labelled images in host memory, with pixels as bytes.
public struct ImageDataset: Sendable {
  /// Name, such as `fashion-mnist`.
  public let name: String
  /// Extents of an image.
  public let height: Int
  /// Columns of an image.
  public let width: Int
  /// Channels of an image.
  public let channels: Int
  /// (count, height, width, channels).
  public let images: [UInt8]
  /// One class index per image.
  public let labels: [Int32]
  /// For each image its index in the original file: kept through splits, and key of its random numbers.
  public let sampleIDs: [Int32]
  /// What the classes are called.
  public let classNames: [String]

  /// Number of images.
  public var count: Int { labels.count }
  /// Number of classes.
  public var classes: Int { classNames.count }

  /// Creates a data set.
  /// - Throws: `.badData` if the numbers of images and labels differ or a label is out of range.
  public init(
    name: String, height: Int, width: Int, channels: Int, images: [UInt8], labels: [Int32],
    sampleIDs: [Int32]? = nil, classNames: [String], file: String? = nil
  ) throws {
    guard images.count == labels.count * height * width * channels else {
      throw TemperError(
        .badData, file: file, field: "labels",
        "\(labels.count) labels do not fit \(images.count / max(1, height * width * channels)) images",
        remedy: "Use the files of images and labels that belong together.")
    }
    if let index = labels.firstIndex(where: { $0 < 0 || $0 >= classNames.count }) {
      throw TemperError(
        .badData, file: file, field: "label \(index)",
        "is \(labels[index]); there are \(classNames.count) classes",
        remedy: "Labels are 0 to \(classNames.count - 1).")
    }
    self.name = name
    (self.height, self.width, self.channels) = (height, width, channels)
    self.images = images
    self.labels = labels
    self.sampleIDs = sampleIDs ?? Array(0..<Int32(labels.count))
    self.classNames = classNames
  }

  /// The images at the given positions, in that order.
  public func subset(_ positions: [Int]) -> ImageDataset {
    let size = height * width * channels
    var pixels: [UInt8] = []
    pixels.reserveCapacity(positions.count * size)
    for position in positions { pixels += images[position * size..<(position + 1) * size] }
    return try! ImageDataset(
      name: name, height: height, width: width, channels: channels, images: pixels,
      labels: positions.map { labels[$0] }, sampleIDs: positions.map { sampleIDs[$0] }, classNames: classNames
    )
  }

  /// The first images, at most `limit`.
  public func prefix(_ limit: Int?) -> ImageDataset {
    guard let limit, limit < count else { return self }
    return subset(Array(0..<limit))
  }
}
