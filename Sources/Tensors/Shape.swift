/// The extent of each dimension of a tensor, outermost first; row-major, so that the last one is contiguous.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// Extents, outermost first. Empty for a scalar.
  public let dimensions: [Int]

  /// A shape of the given extents, none of them negative.
  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "negative extent in \(dimensions)")
    self.dimensions = dimensions
  }

  /// A shape of the given extents.
  public init(arrayLiteral elements: Int...) { self.init(elements) }

  /// Number of dimensions.
  public var rank: Int { dimensions.count }
  /// Number of elements.
  public var count: Int { dimensions.reduce(1, *) }
  /// Extent of one dimension; negative indices count from the end, as in `shape[-1]`.
  public subscript(index: Int) -> Int { dimensions[index < 0 ? dimensions.count + index : index] }
  /// Such as `(128, 28, 28, 1)`.
  public var description: String { "(" + dimensions.map(String.init).joined(separator: ", ") + ")" }
}
