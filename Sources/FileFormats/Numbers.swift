/// A number stored as its bytes, lowest first.
protocol StoredNumber: BitwiseCopyable {
  /// The number whose bytes on disk, read on this machine, gave `raw`.
  static func fromLittleEndian(_ raw: Self) -> Self
}

extension StoredNumber where Self: FixedWidthInteger {
  static func fromLittleEndian(_ raw: Self) -> Self { Self(littleEndian: raw) }
}

extension UInt8: StoredNumber {}
extension Int32: StoredNumber {}
extension Int64: StoredNumber {}
extension UInt64: StoredNumber {}

extension Float: StoredNumber {
  static func fromLittleEndian(_ raw: Float) -> Float {
    Float(bitPattern: UInt32(littleEndian: raw.bitPattern))
  }
}

extension Double: StoredNumber {
  static func fromLittleEndian(_ raw: Double) -> Double {
    Double(bitPattern: UInt64(littleEndian: raw.bitPattern))
  }
}

/// The numbers that `bytes` holds, lowest byte first. The length must be a multiple of the item size.
func decode<Number: StoredNumber>(_ bytes: ArraySlice<UInt8>, as type: Number.Type) -> [Number] {
  let size = MemoryLayout<Number>.size
  precondition(bytes.count % size == 0)
  return bytes.withUnsafeBytes { source in
    (0..<source.count / size).map {
      .fromLittleEndian(source.loadUnaligned(fromByteOffset: $0 * size, as: Number.self))
    }
  }
}

/// The bytes of `numbers`, lowest byte first.
func encode<Number: StoredNumber>(_ numbers: [Number]) -> [UInt8] {
  // Swapping bytes is its own inverse.
  numbers.map(Number.fromLittleEndian).withUnsafeBytes(Array.init)
}

/// The number of elements of an array of `shape`, or nil if a dimension is negative or the product exceeds Int.
func elementCount(_ shape: [Int]) -> Int? {
  guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
  if shape.contains(0) { return 0 }
  var count = 1
  for dimension in shape {
    let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
    guard !overflow else { return nil }
    count = product
  }
  return count
}
