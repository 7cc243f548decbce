import Devices
import FileFormats

/// The element types that tensors have: numbers are `float32`; labels and indices `int32`; images before
/// conversion `uint8`.
public enum ElementType: Sendable {
  case float32, int32, uint8

  /// Bytes per element.
  public var byteCount: Int { self == .uint8 ? 1 : 4 }
}

/// An array of numbers on a device. Activations are NHWC, row-major.
///
/// A tensor is a value: operations make new ones. Inside ``valueWithGradients(at:of:)`` it also remembers how it
/// was made. Tensors stay on the thread that made them.
public struct Tensor {
  /// The extents.
  public let shape: Shape
  /// The type of the elements.
  public let elementType: ElementType
  package let buffer: Buffer
  /// How the tensor was made, when a gradient through it is wanted.
  package var node: TapeNode?

  /// Whether the elements are the output of a ReLU. What makes a gradient by such a tensor applies the ReLU's
  /// own gradient (0 where an element is not positive) in the same pass; see ``maskedBy``.
  package var isRectified = false
  /// Of a gradient: the ReLU's output whose gradient has been applied to it already.
  package var maskedBy: Buffer?

  /// The device that holds the elements.
  public var device: Device { buffer.device }

  package init(shape: Shape, elementType: ElementType = .float32, buffer: Buffer, node: TapeNode? = nil) {
    self.shape = shape
    self.elementType = elementType
    self.buffer = buffer
    self.node = node
  }

  /// A tensor with uninitialised elements.
  package init(uninitialized shape: Shape, _ elementType: ElementType = .float32, on device: Device) throws {
    let byteCount = max(4, shape.count * elementType.byteCount)
    self.init(shape: shape, elementType: elementType, buffer: try device.makeBuffer(byteCount: byteCount))
  }

  /// Copies numbers to a device.
  /// - Throws: `.internal` if the count does not fit the shape, `.deviceUnavailable` if memory runs out.
  public init(_ values: [Float], shape: Shape, on device: Device) throws {
    try self.init(copying: values, shape, .float32, device)
  }

  /// Copies labels or indices to a device.
  public init(_ values: [Int32], shape: Shape? = nil, on device: Device) throws {
    try self.init(copying: values, shape ?? [values.count], .int32, device)
  }

  /// Copies bytes to a device.
  public init(_ values: [UInt8], shape: Shape, on device: Device) throws {
    try self.init(copying: values, shape, .uint8, device)
  }

  /// A tensor whose elements all have one value.
  public init(repeating value: Float, shape: Shape, on device: Device) throws {
    try self.init([Float](repeating: value, count: shape.count), shape: shape, on: device)
  }

  private init<T: BitwiseCopyable>(
    copying values: [T], _ shape: Shape, _ type: ElementType, _ device: Device
  ) throws {
    guard values.count == shape.count else {
      throw TemperError(.internal, "\(values.count) values do not fill the shape \(shape)")
    }
    try self.init(uninitialized: shape, type, on: device)
    try values.withUnsafeBytes { try device.write($0, to: buffer) }
  }

  /// The elements, copied to the host after all queued work. The only call that waits for the device.
  public func floats() throws -> [Float] { try read(.float32, zero: Float(0)) }

  /// The elements of an `int32` tensor; see ``floats()``.
  public func integers() throws -> [Int32] { try read(.int32, zero: Int32(0)) }

  /// The elements of a `uint8` tensor; see ``floats()``.
  public func bytes() throws -> [UInt8] { try read(.uint8, zero: UInt8(0)) }

  /// The one element of a scalar; see ``floats()``.
  public func scalar() throws -> Float {
    precondition(shape.count == 1, "\(shape) is no scalar")
    return try floats()[0]
  }

  private func read<T: BitwiseCopyable>(_ type: ElementType, zero: T) throws -> [T] {
    precondition(elementType == type, "the elements are \(elementType)")
    var values = [T](repeating: zero, count: shape.count)
    try values.withUnsafeMutableBytes { try device.read(buffer, into: $0) }
    return values
  }

  /// The elements of scalars that are on one device, in one transfer; see ``floats()``.
  package static func values(ofScalars scalars: [Tensor]) throws -> [Float] {
    guard let device = scalars.first?.device else { return [] }
    let all = try Tensor(uninitialized: [scalars.count], on: device)
    for (index, scalar) in scalars.enumerated() {
      precondition(scalar.shape.count == 1 && scalar.elementType == .float32, "\(scalar.shape) is no scalar")
      try device.copy(scalar.buffer, to: all.buffer, byteCount: 4, targetOffset: 4 * index)
    }
    return try all.floats()
  }

  /// The same elements under another shape; costs nothing and passes gradients through.
  public func reshaped(_ shape: Shape) throws -> Tensor {
    guard shape.count == self.shape.count else {
      throw TemperError(.internal, "\(self.shape) cannot be reshaped to \(shape)")
    }
    let old = self.shape
    var result = Tensor(shape: shape, elementType: elementType, buffer: buffer)
    result.isRectified = isRectified
    result.maskedBy = maskedBy
    return result.recorded(from: [(self, { gradient in try gradient.reshaped(old) })])
  }

  /// Each sample's elements in one row: (N, ...) becomes (N, product of the rest).
  public func flattened() throws -> Tensor {
    try reshaped([shape[0], shape.dimensions.dropFirst().reduce(1, *)])
  }

  /// The same elements without their history: gradients stop here.
  public func detached() -> Tensor { Tensor(shape: shape, elementType: elementType, buffer: buffer) }

  /// A tensor of the same elements in memory of its own.
  public func copied() throws -> Tensor {
    let copy = try Tensor(uninitialized: shape, elementType, on: device)
    try device.copy(buffer, to: copy.buffer, byteCount: shape.count * elementType.byteCount)
    return copy
  }

  /// The address of the elements; CPU only.
  package var pointer: UnsafeMutablePointer<Float> {
    assert(elementType == .float32)
    return buffer.address.assumingMemoryBound(to: Float.self)
  }

  /// The address of the elements of an `int32` tensor; CPU only.
  package var integerPointer: UnsafeMutablePointer<Int32> {
    assert(elementType == .int32)
    return buffer.address.assumingMemoryBound(to: Int32.self)
  }

  /// The address of the elements of a `uint8` tensor; CPU only.
  package var bytePointer: UnsafeMutablePointer<UInt8> {
    assert(elementType == .uint8)
    return buffer.address.assumingMemoryBound(to: UInt8.self)
  }
}
