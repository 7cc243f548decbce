import FileFormats
import Randomness

/// Training, validation and test images. Validation images come out of the training images, so that choosing a
/// model never sees the test images.
public struct DatasetSplit: Sendable {
  /// Images to train on.
  public let train: ImageDataset
  /// Images to choose the best epoch on.
  public let validation: ImageDataset
  /// Images to report on, once.
  public let test: ImageDataset

  /// Images held out of the training images.
  public static let validationCount = 5000

  /// Splits by `seed`.
  /// - Parameters:
  ///   - limit: training images kept after the split, or nil for all. The validation images then are a tenth
  ///     of that, at least 100 (and at most 5,000), so that short runs stay short.
  public init(train: ImageDataset, test: ImageDataset, seed: UInt64, limit: Int? = nil) throws {
    guard train.count >= 2 else {
      throw TemperError(.badData, file: train.name, field: "images", "has \(train.count) training images")
    }
    var stream = RandomStream(seed: seed, purpose: .split)
    let order = stream.permutation(of: train.count)
    let held = min(Self.validationCount, train.count / 6 + 1)
    let validation = limit.map { min(held, max(100, $0 / 10)) } ?? held
    self.validation = train.subset(Array(order[..<validation]))
    self.train = train.subset(Array(order[held...])).prefix(limit)
    self.test = test
  }

  /// A data set by name, split by `seed`.
  public static func load(
    _ name: String, folder: String? = nil, seed: UInt64, limit: Int? = nil
  ) throws -> DatasetSplit {
    let (train, test) = try DatasetCatalog.load(name, folder: folder)
    return try DatasetSplit(train: train, test: test, seed: seed, limit: limit)
  }
}
