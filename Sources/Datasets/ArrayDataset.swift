import Devices
import FileFormats
import Tensors

/// Images of any origin as floats, of a `.npy` file that is read batch by batch: it may be larger than the memory.
public struct ArrayDataset: BatchSource {
  /// Extents of an image.
  public let height: Int
  /// Columns of an image.
  public let width: Int
  /// Channels of an image.
  public let channels: Int
  /// One class index per image.
  public let labels: [Int32]
  private let rows: ArrayRows
  private let device: Device
  /// Rounding of a file's conversion that is clamped instead of refused.
  private static let tolerance: Float = 1e-6

  /// Reads images (N, C, H, W), or (N, H, W) for one channel, as PyTorch saves them.
  /// - Parameters:
  ///   - labelFile: class indices, or nil when they are not needed.
  ///   - extents: channels, height and width that images must have.
  ///   - classes: number of classes that labels must be below.
  /// - Throws: `.badData` naming the file, for a shape that does not fit and labels out of range.
  public init(
    imageFile: String, labelFile: String? = nil, extents: [Int]? = nil, classes: Int, on device: Device
  ) throws {
    let array = try ArrayRows(npy: imageFile)
    guard array.shape.count == 4 || array.shape.count == 3 else {
      throw TemperError(
        .badData, file: imageFile, field: "shape", "is \(array.shape)",
        remedy: "Save images as (N, C, H, W) in [0, 1].")
    }
    let shape = array.shape.count == 4 ? array.shape : [array.shape[0], 1, array.shape[1], array.shape[2]]
    guard shape.allSatisfy({ $0 > 0 }) else {
      throw TemperError(.badData, file: imageFile, field: "shape", "is \(array.shape): there are no images")
    }
    if let extents, Array(shape[1...]) != extents {
      throw TemperError(
        .badData, file: imageFile, field: "shape",
        "is \(array.shape); the network takes (N, C, H, W) of \(extents)",
        remedy: "Use images of that size, or a network trained on images of this one.")
    }
    (channels, height, width) = (shape[1], shape[2], shape[3])
    rows = array
    labels =
      try labelFile.map { try Self.labels($0, count: shape[0], classes: classes) }
      ?? [Int32](repeating: 0, count: shape[0])
    self.device = device
  }

  /// Number of images.
  public var count: Int { labels.count }

  /// The images of a range of positions, read and copied to the device.
  /// - Throws: `.badData` naming the file and the first wrong value, for NaN and pixels outside [0, 1].
  public func batch(_ range: Range<Int>) throws -> Batch {
    let pixels = try checked(rows.floats(range), range.lowerBound * height * width * channels)
    return Batch(
      images: try Tensor(
        Self.channelsLast(pixels, [range.count, channels, height, width]),
        shape: [range.count, height, width, channels], on: device),
      labels: try Tensor(Array(labels[range]), on: device),
      sampleIDs: try Tensor(range.map { Int32($0) }, on: device))
  }

  private func checked(_ pixels: [Float], _ first: Int) throws -> [Float] {
    try pixels.enumerated().map { index, pixel in
      guard pixel >= -Self.tolerance, pixel <= 1 + Self.tolerance else {
        throw TemperError(
          .badData, file: rows.file, field: "pixel \(first + index)", "is \(pixel); pixels are in [0, 1]",
          remedy: pixel.isFinite
            ? "Divide bytes by 255 and undo any normalisation; the network normalises itself."
            : "Remove NaN and infinite pixels.")
      }
      return min(max(pixel, 0), 1)
    }
  }

  private static func labels(_ file: String, count: Int, classes: Int) throws -> [Int32] {
    let values = try NpyArray(contentsOf: file).int64s()
    guard values.count == count else {
      throw TemperError(
        .badData, file: file, field: "shape", "holds \(values.count) labels for \(count) images",
        remedy: "Use the labels that belong to the images.")
    }
    if let index = values.firstIndex(where: { $0 < 0 || $0 >= classes }) {
      throw TemperError(
        .badData, file: file, field: "label \(index)", "is \(values[index])",
        remedy: "Labels are 0 to \(classes - 1) for this network.")
    }
    return values.map { Int32($0) }
  }

  /// (N, C, H, W) to (N, H, W, C).
  static func channelsLast(_ values: [Float], _ shape: [Int]) -> [Float] {
    permute(values, images: shape[0], outer: shape[1], inner: shape[2] * shape[3])
  }

  /// (N, H, W, C) to (N, C, H, W), as `.npy` files of images have it.
  public static func channelsFirst(_ values: [Float], shape: Shape) -> [Float] {
    permute(values, images: shape[0], outer: shape[1] * shape[2], inner: shape[3])
  }

  /// Exchanges the two inner dimensions of (images, outer, inner).
  private static func permute(_ values: [Float], images: Int, outer: Int, inner: Int) -> [Float] {
    guard outer > 1, inner > 1 else { return values }
    var result = values
    for image in 0..<images {
      let start = image * outer * inner
      for i in 0..<outer {
        for j in 0..<inner { result[start + j * outer + i] = values[start + i * inner + j] }
      }
    }
    return result
  }
}
