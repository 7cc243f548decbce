import CZlib
import Foundation
import Reports
import Testing

struct PNGTests {
  /// The chunks of a file, whose signature and checksums are checked.
  private func chunks(_ png: PNG) throws -> [(type: String, data: [UInt8])] {
    let bytes = png.bytes
    #expect(bytes.prefix(8) == [137, 80, 78, 71, 13, 10, 26, 10])
    func number(_ offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
    var result: [(String, [UInt8])] = []
    var offset = 8
    while offset < bytes.count {
      let length = number(offset)
      try #require(offset + length + 12 <= bytes.count)
      let body = Array(bytes[offset + 4..<offset + 8 + length])
      #expect(number(offset + 8 + length) == Self.checksum(body))
      result.append((String(decoding: body.prefix(4), as: UTF8.self), Array(body.dropFirst(4))))
      offset += length + 12
    }
    return result
  }

  /// CRC-32 bit by bit, as the PNG specification defines it.
  private static func checksum(_ bytes: [UInt8]) -> Int {
    var crc: UInt32 = ~0
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return Int(~crc)
  }

  /// The pixels of an image without filters.
  private func pixels(_ data: [UInt8], rowBytes: Int, height: Int) throws -> [UInt8] {
    var lines = [UInt8](repeating: 0, count: height * (rowBytes + 1) + 1)
    var size = UInt(lines.count)
    #expect(uncompress(&lines, &size, data, UInt(data.count)) == Z_OK)
    try #require(size == UInt(height * (rowBytes + 1)))
    return (0..<height).flatMap { y -> [UInt8] in
      let start = y * (rowBytes + 1)
      #expect(lines[start] == 0)
      return Array(lines[start + 1...start + rowBytes])
    }
  }

  @Test func greyPixelsComeBack() throws {
    let grey = (0..<28 * 31).map { UInt8(truncatingIfNeeded: $0 * 37) }
    let parts = try chunks(PNG(width: 28, height: 31, grey: grey))
    #expect(parts.map(\.type) == ["IHDR", "IDAT", "IEND"])
    #expect(parts[0].data == [0, 0, 0, 28, 0, 0, 0, 31, 8, 0, 0, 0, 0])
    #expect(try pixels(parts[1].data, rowBytes: 28, height: 31) == grey)
  }

  @Test func colourPixelsComeBack() throws {
    let rgb = (0..<300 * 2 * 3).map { UInt8(truncatingIfNeeded: $0 * 31) }
    let parts = try chunks(PNG(width: 300, height: 2, rgb: rgb, transparent: RGB(1, 2, 3)))
    #expect(parts.map(\.type) == ["IHDR", "tRNS", "IDAT", "IEND"])
    #expect(parts[0].data == [0, 0, 1, 44, 0, 0, 0, 2, 8, 2, 0, 0, 0])
    #expect(parts[1].data == [0, 1, 0, 2, 0, 3])
    #expect(try pixels(parts[2].data, rowBytes: 900, height: 2) == rgb)
  }

  @Test func theAddressHoldsTheFile() throws {
    let png = PNG(width: 1, height: 1, grey: [7])
    let address = png.dataURI
    #expect(address.hasPrefix("data:image/png;base64,"))
    #expect(Data(base64Encoded: String(address.dropFirst(22))) == Data(png.bytes))
  }

  @Test func wrongSizesAreRefused() async {
    await #expect(processExitsWith: .failure) { _ = PNG(width: 2, height: 2, grey: [1, 2, 3]) }
    await #expect(processExitsWith: .failure) { _ = PNG(width: 0, height: 0, grey: []) }
  }
}
