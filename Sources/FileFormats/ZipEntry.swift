import CZlib

/// A file of a ZIP archive. Offsets and lengths as in PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16.
struct ZipEntry {
  /// Without `.npy`.
  let name: String
  private let method: Int
  private let checksum: UInt32
  private let packedSize: Int
  private let size: Int
  private let offset: Int

  static func all(in source: any ByteSource, file: String?) throws -> [ZipEntry] {
    // The end of the directory, and a comment of at most 65,535 bytes behind it.
    let tailStart = max(0, source.count - 65_557)
    let tail = try source.read(tailStart..<source.count)
    guard
      let end = (0...max(0, tail.count - 22)).reversed().first(where: { number(tail, $0, 4) == 0x0605_4b50 })
    else { throw fault(file, "is no .npz file (a ZIP archive), or it is truncated.") }
    let (count, start) = (number(tail, end + 10, 2), number(tail, end + 16, 4))
    guard count != 0xFFFF, start != 0xFFFF_FFFF else { throw tooLarge(file) }
    guard start <= tailStart + end else { throw fault(file, "has a damaged directory.") }
    let directory = try source.read(start..<tailStart + end)
    var entries: [ZipEntry] = []
    var place = 0
    for _ in 0..<count {
      guard place + 46 <= directory.count, number(directory, place, 4) == 0x0201_4b50 else {
        throw fault(file, "has a damaged directory.")
      }
      let length = number(directory, place + 28, 2)
      let next = place + 46 + length + number(directory, place + 30, 2) + number(directory, place + 32, 2)
      guard next <= directory.count else { throw fault(file, "has a damaged directory.") }
      let entry = ZipEntry(directory, place, length)
      guard ![entry.packedSize, entry.size, entry.offset].contains(0xFFFF_FFFF) else { throw tooLarge(file) }
      entries.append(entry)
      place = next
    }
    return entries
  }

  private init(_ bytes: [UInt8], _ place: Int, _ length: Int) {
    let name = String(decoding: bytes[place + 46..<place + 46 + length], as: UTF8.self)
    self.name = name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
    method = Self.number(bytes, place + 10, 2)
    checksum = UInt32(Self.number(bytes, place + 16, 4))
    packedSize = Self.number(bytes, place + 20, 4)
    size = Self.number(bytes, place + 24, 4)
    offset = Self.number(bytes, place + 42, 4)
  }

  /// The unpacked content, its checksum checked.
  ///
  /// - Parameter mostInMemory: What unpacks to more bytes goes to a temporary file.
  func content(of source: any ByteSource, file: String?, mostInMemory: Int) throws -> any ByteSource {
    func fault(_ message: String) -> TemperError { Self.fault(file, "\(name): \(message)") }
    let head = offset + 30 <= source.count ? try source.read(offset..<offset + 30) : []
    guard Self.number(head, 0, 4) == 0x0403_4b50 else { throw fault("the directory does not lead to it.") }
    let start = offset + 30 + Self.number(head, 26, 2) + Self.number(head, 28, 2)
    guard start + packedSize <= source.count else { throw fault("the file is truncated.") }
    let packed = BytesSlice(base: source, range: start..<start + packedSize)
    var checked = Checksum()
    let content: any ByteSource
    switch method {
    case 0:
      content = packed
      for piece in Self.pieces(packedSize) { checked.add(try packed.read(piece)) }
    case 8:
      guard let inflated = try inflated(packed, mostInMemory, &checked) else {
        throw fault("its compressed data is damaged.")
      }
      content = inflated
    default: throw fault("is compressed by the unknown method \(method).")
    }
    guard checked.count == size, checked.value == checksum else {
      throw fault("its checksum is wrong: the file is damaged.")
    }
    return content
  }

  private static func pieces(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: 1 << 18).map { $0..<min(count, $0 + 1 << 18) }
  }

  /// At most ``size`` bytes of raw deflated data; nil if there are more or it is damaged.
  private func inflated(
    _ packed: BytesSlice, _ mostInMemory: Int, _ checked: inout Checksum
  ) throws -> (any ByteSource)? {
    // Deflate packs at most 1032 to 1: a larger size is a lie, and nothing is reserved for it.
    guard size <= packed.count * 1032 + 1024 else { return nil }
    let stored = size > mostInMemory ? try TemporaryBytes() : nil
    var kept: [UInt8] = []
    var stream = z_stream()
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      return nil
    }
    defer { inflateEnd(&stream) }
    var status = Z_OK
    for piece in Self.pieces(packed.count) where status == Z_OK {
      status = try Self.inflate(&stream, packed.read(piece)) { made in
        checked.add(made)
        if let stored { try stored.append(made) } else { kept.append(contentsOf: made) }
        // More than the directory says betrays damage.
        return checked.count <= size
      }
    }
    guard status == Z_STREAM_END else { return nil }
    return try stored?.finished() ?? MemoryBytes(bytes: kept)
  }

  /// Passes on what a piece of deflated data makes, until `take` returns false.
  private static func inflate(
    _ stream: inout z_stream, _ input: [UInt8], _ take: (UnsafeRawBufferPointer) throws -> Bool
  ) throws -> Int32 {
    var (input, target) = (input, [UInt8](repeating: 0, count: 1 << 18))
    return try input.withUnsafeMutableBufferPointer { input in
      try target.withUnsafeMutableBufferPointer { target in
        (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
        while true {
          (stream.next_out, stream.avail_out) = (target.baseAddress, UInt32(target.count))
          let status = CZlib.inflate(&stream, Z_NO_FLUSH)
          let made = UnsafeRawBufferPointer(target)[..<(target.count - Int(stream.avail_out))]
          guard try take(UnsafeRawBufferPointer(rebasing: made)) else { return Z_DATA_ERROR }
          // Without space that is left, there may be more to come of the same input.
          if status != Z_OK || stream.avail_in == 0 && stream.avail_out > 0 {
            return status == Z_BUF_ERROR && stream.avail_in == 0 ? Z_OK : status
          }
        }
      }
    }
  }

  /// The CRC-32 of bytes that come in pieces.
  private struct Checksum {
    private(set) var value: UInt32 = 0
    private(set) var count = 0

    mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
      guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
      value = UInt32(crc32(UInt(value), start, UInt32(bytes.count)))
      count += bytes.count
    }
  }

  /// A little-endian number; 0 beyond the end.
  private static func number(_ bytes: [UInt8], _ place: Int, _ size: Int) -> Int {
    guard place >= 0, place + size <= bytes.count else { return 0 }
    return bytes[place..<place + size].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private static func tooLarge(_ file: String?) -> TemperError {
    fault(file, "is larger than 4 GB or has more than 65,534 arrays.", "Save each array as .npy.")
  }

  private static func fault(_ file: String?, _ message: String, _ remedy: String? = nil) -> TemperError {
    TemperError(.badData, file: file, message, remedy: remedy)
  }
}
