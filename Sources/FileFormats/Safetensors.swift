/// The content of a `.safetensors` file: named arrays and text metadata.
///
/// The format is a header length (8 bytes), a JSON header and the data, all little endian; see
/// <https://github.com/huggingface/safetensors>.
public struct Safetensors: Sendable {
  /// The type of an array's elements, by its name in the file.
  public enum DType: String, Sendable, CaseIterable {
    /// Truth values of one byte.
    case bool = "BOOL"
    /// Integers of 1, 2, 4 or 8 bytes, without (`u`) and with sign.
    case u8 = "U8"
    case i8 = "I8"
    case u16 = "U16"
    case i16 = "I16"
    case u32 = "U32"
    case i32 = "I32"
    case u64 = "U64"
    case i64 = "I64"
    /// Floating-point numbers.
    case f8e4m3 = "F8_E4M3"
    case f8e5m2 = "F8_E5M2"
    case f16 = "F16"
    case bf16 = "BF16"
    case f32 = "F32"
    case f64 = "F64"

    /// Bytes per element.
    public var itemSize: Int {
      switch self {
      case .bool, .u8, .i8, .f8e4m3, .f8e5m2: 1
      case .u16, .i16, .f16, .bf16: 2
      case .u32, .i32, .f32: 4
      case .u64, .i64, .f64: 8
      }
    }
  }

  /// One named array.
  public struct Tensor: Sendable, Equatable {
    /// Its name, unique in the file.
    public let name: String
    /// The type of its elements.
    public let dtype: DType
    /// Its dimensions; empty for a scalar.
    public let shape: [Int]
    /// Its elements, row-major, little endian.
    public let bytes: [UInt8]
  }

  /// The arrays, in the order they were appended or lie in the file.
  public private(set) var tensors: [Tensor] = []
  /// Free text by name.
  public var metadata: [String: String]
  /// The file this was read from, for error messages.
  public let file: String?
  private var places: [String: Int] = [:]

  /// Starts without arrays.
  public init(metadata: [String: String] = [:]) {
    self.init(metadata: metadata, file: nil)
  }

  init(metadata: [String: String], file: String?) {
    self.metadata = metadata
    self.file = file
  }

  /// The names of the arrays, in the order of ``tensors``.
  public var names: [String] { tensors.map(\.name) }

  /// Whether there is an array called `name`.
  public func contains(_ name: String) -> Bool { places[name] != nil }

  /// The array called `name`.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if there is none.
  public func tensor(_ name: String) throws -> Tensor {
    guard let place = places[name] else { throw Self.missing(name, names, file) }
    return tensors[place]
  }

  /// Says that there is no array called `name`, and which there are.
  static func missing(_ name: String, _ names: [String], _ file: String?) -> TemperError {
    let present = names.isEmpty ? "none" : names.prefix(8).joined(separator: ", ")
    let more = names.count > 8 ? ", ..." : ""
    return TemperError(
      .badData, file: file, field: name, "is missing.", remedy: "The file has: \(present)\(more).")
  }
}

// MARK: - Reading elements

extension Safetensors {
  /// The array called `name` as Float. F64 is rounded.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if it is missing or neither F32 nor F64.
  public func floats(_ name: String) throws -> (shape: [Int], values: [Float]) {
    let tensor = try tensor(name)
    switch tensor.dtype {
    case .f32: return (tensor.shape, decode(tensor.bytes[...], as: Float.self))
    case .f64: return (tensor.shape, decode(tensor.bytes[...], as: Double.self).map { Float($0) })
    default: throw wrongType(tensor, needed: "F32", remedy: "Save it with .float() in Python.")
    }
  }

  /// The array called `name` as Int64.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if it is missing or not of type I64, I32 or U8.
  public func int64s(_ name: String) throws -> (shape: [Int], values: [Int64]) {
    let tensor = try tensor(name)
    switch tensor.dtype {
    case .i64: return (tensor.shape, decode(tensor.bytes[...], as: Int64.self))
    case .i32: return (tensor.shape, decode(tensor.bytes[...], as: Int32.self).map { Int64($0) })
    case .u8: return (tensor.shape, tensor.bytes.map { Int64($0) })
    default: throw wrongType(tensor, needed: "I64, I32 or U8", remedy: "Save it with .long() in Python.")
    }
  }

  /// The array called `name` as Int32.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if it is missing, not of type I64, I32 or U8, or holds a number
  ///   beyond Int32.
  public func int32s(_ name: String) throws -> (shape: [Int], values: [Int32]) {
    let (shape, values) = try int64s(name)
    return (shape, try narrowed(values, file: file, field: name))
  }

  private func wrongType(_ tensor: Tensor, needed: String, remedy: String) -> TemperError {
    let message = "has type \(tensor.dtype.rawValue); \(needed) is needed."
    return TemperError(.badData, file: file, field: tensor.name, message, remedy: remedy)
  }
}

/// `values` as Int32.
///
/// - Throws: ``TemperError`` of kind `badData`, naming the first element that does not fit.
func narrowed(_ values: [Int64], file: String?, field: String?) throws -> [Int32] {
  try values.enumerated().map { index, value in
    guard let narrow = Int32(exactly: value) else {
      throw TemperError(.badData, file: file, field: field, "element \(index) is \(value), beyond 32 bits.")
    }
    return narrow
  }
}

// MARK: - Appending

extension Safetensors {
  /// Appends an array.
  ///
  /// - Parameters:
  ///   - name: Not empty, not yet present, not `__metadata__`.
  ///   - bytes: The elements, row-major, little endian.
  /// - Throws: ``TemperError`` of kind `badData` if the name is unusable or `bytes` does not fit `shape`.
  public mutating func append(_ name: String, shape: [Int], dtype: DType, bytes: [UInt8]) throws {
    func fault(_ message: String) -> TemperError { TemperError(.badData, file: file, field: name, message) }
    guard !name.isEmpty, name != "__metadata__" else { throw fault("is no name for an array.") }
    guard !contains(name) else { throw fault("occurs twice.") }
    guard let count = elementCount(shape), bytes.count % dtype.itemSize == 0,
      bytes.count / dtype.itemSize == count
    else { throw fault("has shape \(shape) of \(dtype.rawValue), but \(bytes.count) bytes.") }
    places[name] = tensors.count
    tensors.append(Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes))
  }

  /// Appends an array of type F32; see ``append(_:shape:dtype:bytes:)``.
  public mutating func append(_ name: String, shape: [Int], floats: [Float]) throws {
    try append(name, shape: shape, dtype: .f32, bytes: encode(floats))
  }

  /// Appends an array of type I32; see ``append(_:shape:dtype:bytes:)``.
  public mutating func append(_ name: String, shape: [Int], int32s: [Int32]) throws {
    try append(name, shape: shape, dtype: .i32, bytes: encode(int32s))
  }

  /// Appends an array of type I64; see ``append(_:shape:dtype:bytes:)``.
  public mutating func append(_ name: String, shape: [Int], int64s: [Int64]) throws {
    try append(name, shape: shape, dtype: .i64, bytes: encode(int64s))
  }

  /// Appends an array of type U8; see ``append(_:shape:dtype:bytes:)``.
  public mutating func append(_ name: String, shape: [Int], bytes: [UInt8]) throws {
    try append(name, shape: shape, dtype: .u8, bytes: bytes)
  }
}
