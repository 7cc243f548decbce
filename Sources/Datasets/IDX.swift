import FileFormats

/// Reads IDX files, the format of MNIST and Fashion-MNIST, plain or gzipped.
public enum IDX {
  /// Grey images: count, height, width and the pixels, row by row.
  public struct Images: Sendable {
    /// Number of images.
    public let count: Int
    /// Rows of an image.
    public let height: Int
    /// Columns of an image.
    public let width: Int
    /// (count, height, width), one byte each.
    public let pixels: [UInt8]
  }

  private static let imageMagic: UInt32 = 0x0000_0803
  private static let labelMagic: UInt32 = 0x0000_0801

  /// Reads a file of images.
  /// - Throws: `.missingInput`, or `.badData` for a file that is truncated, too long, damaged or no images.
  public static func images(_ path: String) throws -> Images {
    let (extents, pixels) = try read(path, magic: imageMagic, rank: 3)
    return Images(count: extents[0], height: extents[1], width: extents[2], pixels: pixels)
  }

  /// Reads a file of labels.
  /// - Throws: as ``images(_:)``.
  public static func labels(_ path: String) throws -> [UInt8] {
    try read(path, magic: labelMagic, rank: 1).bytes
  }

  private static func read(_ path: String, magic: UInt32, rank: Int) throws -> (
    extents: [Int], bytes: [UInt8]
  ) {
    let stream = try GzipStream(path)
    let header = try stream.read(4, "magic number").reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard header == magic else { throw wrongMagic(path, header, expected: magic) }
    let extents = try (0..<rank).map { index in
      try stream.read(4, "extent \(index)").reduce(0) { $0 << 8 | Int($1) }
    }
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, extent > 0, product <= 1 << 36 else {
        throw TemperError(
          .badData, file: path, field: "extents", "are \(extents)", remedy: "Fetch the file again.")
      }
      count = product
    }
    let bytes = try stream.read(count, "data")
    try stream.expectEnd(after: "\(extents)")
    return (extents, bytes)
  }

  private static func wrongMagic(_ path: String, _ found: UInt32, expected: UInt32) -> TemperError {
    let swapped = found == imageMagic || found == labelMagic
    let kinds = expected == imageMagic ? ("labels", "images") : ("images", "labels")
    let hex = "0x" + String(found, radix: 16)
    return TemperError(
      .badData, file: path, field: "magic number",
      swapped
        ? "is that of \(kinds.0); \(kinds.1) are needed" : "is \(hex); this is no IDX file of \(kinds.1)",
      remedy: swapped ? "Swap the files of images and labels." : "Fetch the file again.")
  }
}
