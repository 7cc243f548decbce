import FileFormats

/// Reads CIFAR-10's binary format: records of one byte for the label and 3,072 for a 32 x 32 image, plane by plane in
/// red, green and blue (https://www.cs.toronto.edu/~kriz/cifar.html). Files may be gzipped.
public enum CIFAR10 {
  static let extent = 32
  static let channels = 3
  /// A label and an image.
  static let recordSize = 1 + channels * extent * extent
  /// The official files have 10,000 records; larger ones are something else.
  private static let mostRecords = 100_000

  /// What the classes are called.
  public static let classNames = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// The images of some files, one after the other. A file may hold any number of whole records.
  /// - Throws: `.missingInput`, or `.badData` naming the file and the record whose label is out of range.
  public static func read(_ paths: [String]) throws -> ImageDataset {
    var labels: [Int32] = []
    var pixels: [UInt8] = []
    for path in paths {
      let bytes = try records(path)
      for (index, start) in stride(from: 0, to: bytes.count, by: recordSize).enumerated() {
        guard bytes[start] < classNames.count else {
          throw TemperError(
            .badData, file: path, field: "label of record \(index)",
            "is \(bytes[start]); there are \(classNames.count) classes", remedy: "Fetch the file again.")
        }
        labels.append(Int32(bytes[start]))
      }
      pixels += interleaved(bytes)
    }
    return try ImageDataset(
      name: "cifar-10", height: extent, width: extent, channels: channels, images: pixels, labels: labels,
      classNames: classNames)
  }

  private static func records(_ path: String) throws -> [UInt8] {
    let bytes = try GzipStream(path).readAll(limit: mostRecords * recordSize)
    guard !bytes.isEmpty, bytes.count % recordSize == 0, bytes.count <= mostRecords * recordSize else {
      throw TemperError(
        .badData, file: path, field: "size",
        "is \(bytes.count) bytes, which is no number of records of \(recordSize) bytes",
        remedy: "Use the binary version of CIFAR-10, and fetch the file again if it is that.")
    }
    return bytes
  }

  /// Records of planes to pixels of three channels.
  private static func interleaved(_ records: [UInt8]) -> [UInt8] {
    let plane = extent * extent
    let count = records.count / recordSize
    return [UInt8](unsafeUninitializedCapacity: count * plane * channels) { pixels, initialized in
      for record in 0..<count {
        let start = record * recordSize + 1
        for pixel in 0..<plane {
          for channel in 0..<channels {
            pixels[(record * plane + pixel) * channels + channel] = records[start + channel * plane + pixel]
          }
        }
      }
      initialized = count * plane * channels
    }
  }
}
