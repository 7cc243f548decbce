import CZlib
import Foundation

/// An image encoded as PNG (ISO/IEC 15948), with 8 bits per channel.
public struct PNG: Sendable {
  /// The bytes of the file.
  public let bytes: [UInt8]
  /// Width in pixels.
  public let width: Int
  /// Height in pixels.
  public let height: Int

  /// Encodes a grey image.
  /// - Parameter grey: width x height values, row by row from the top; 0 is black.
  public init(width: Int, height: Int, grey: [UInt8]) {
    self.init(width, height, channels: 1, grey)
  }

  /// Encodes a colour image.
  /// - Parameters:
  ///   - rgb: width x height x 3 values, row by row from the top.
  ///   - transparent: The colour whose pixels let the background through, if any.
  public init(width: Int, height: Int, rgb: [UInt8], transparent: RGB? = nil) {
    self.init(width, height, channels: 3, rgb, transparent: transparent)
  }

  private init(_ width: Int, _ height: Int, channels: Int, _ pixels: [UInt8], transparent: RGB? = nil) {
    precondition(width > 0 && height > 0, "an image needs pixels")
    precondition(pixels.count == width * height * channels, "pixels do not fit the image's size")
    self.width = width
    self.height = height
    var header = Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height))
    // Bit depth, colour type (0 grey, 2 RGB), and the only methods of compression, filtering and interlacing.
    header += [8, channels == 1 ? 0 : 2, 0, 0, 0]
    let row = width * channels
    var lines: [UInt8] = []
    lines.reserveCapacity(height * (row + 1))
    for y in 0..<height {
      lines.append(0)  // no filter
      lines += pixels[y * row..<(y + 1) * row]
    }
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    file += Self.chunk("IHDR", header)
    if let transparent {
      file += Self.chunk("tRNS", [0, transparent.red, 0, transparent.green, 0, transparent.blue])
    }
    file += Self.chunk("IDAT", Self.deflated(lines)) + Self.chunk("IEND", [])
    bytes = file
  }

  /// The image as an address for `src` or `href`, which nothing is fetched for.
  public var dataURI: String { dataAddress(type: "image/png", bytes) }

  private static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    let checksum = CZlib.crc32(0, body, UInt32(body.count))
    return bigEndian(UInt32(data.count)) + body + bigEndian(UInt32(checksum))
  }

  private static func deflated(_ data: [UInt8]) -> [UInt8] {
    var size = compressBound(UInt(data.count))
    var result = [UInt8](repeating: 0, count: Int(size))
    let status = compress2(&result, &size, data, UInt(data.count), 9)
    precondition(status == Z_OK, "zlib failed with \(status)")
    return Array(result[..<Int(size)])
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }
}

/// A colour in sRGB, 8 bits per channel.
public struct RGB: Sendable, Equatable {
  /// The channels.
  public let red, green, blue: UInt8

  /// Creates a colour.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    (self.red, self.green, self.blue) = (red, green, blue)
  }
}
