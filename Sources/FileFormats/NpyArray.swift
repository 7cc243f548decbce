/// One array in NumPy's `.npy` format (versions 1, 2 and 3), little endian, row-major in memory.
public struct NpyArray: Sendable, Equatable {
  /// The elements, row-major, by the type they have in the file.
  public enum Elements: Sendable, Equatable {
    /// `<f4`
    case float32([Float])
    /// `<f8`
    case float64([Double])
    /// `<i4`
    case int32([Int32])
    /// `<i8`
    case int64([Int64])
    /// `|u1`
    case uint8([UInt8])

    /// The number of elements.
    public var count: Int {
      switch self {
      case .float32(let values): values.count
      case .float64(let values): values.count
      case .int32(let values): values.count
      case .int64(let values): values.count
      case .uint8(let values): values.count
      }
    }
  }

  /// The dimensions; empty for a scalar.
  public let shape: [Int]
  /// The elements.
  public let elements: Elements
  /// The file this was read from, for error messages.
  public let file: String?

  /// Creates an array.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if the number of elements does not fit `shape`.
  public init(shape: [Int], _ elements: Elements, file: String? = nil) throws {
    guard elementCount(shape) == elements.count else {
      throw TemperError(.badData, file: file, "has shape \(shape), but \(elements.count) elements.")
    }
    (self.shape, self.elements, self.file) = (shape, elements, file)
  }

  /// Arrays are equal if shape, type and elements are; the file does not matter.
  public static func == (a: NpyArray, b: NpyArray) -> Bool {
    a.shape == b.shape && a.elements == b.elements
  }

  /// The elements as Float. Double is rounded.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if they are integers.
  public func floats() throws -> [Float] {
    switch elements {
    case .float32(let values): return values
    case .float64(let values): return values.map { Float($0) }
    default:
      throw TemperError(
        .badData, file: file, "holds integers; floating-point numbers are needed.",
        remedy: "Save it with .astype('float32') in Python.")
    }
  }

  /// The elements as Int64.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if they are not integers.
  public func int64s() throws -> [Int64] {
    switch elements {
    case .int64(let values): return values
    case .int32(let values): return values.map { Int64($0) }
    case .uint8(let values): return values.map { Int64($0) }
    default:
      throw TemperError(
        .badData, file: file, "holds floating-point numbers; integers are needed.",
        remedy: "Save it with .astype('int64') in Python.")
    }
  }

  /// The elements as Int32.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if they are not integers or one lies beyond Int32.
  public func int32s() throws -> [Int32] {
    try narrowed(try int64s(), file: file, field: nil)
  }
}
