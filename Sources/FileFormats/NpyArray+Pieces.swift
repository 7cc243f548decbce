extension NpyArray {
  /// Writes a `.npy` file of floats piece by piece.
  ///
  /// - Parameters:
  ///   - shape: the dimensions.
  ///   - body: calls its argument with the values in order.
  /// - Throws: ``TemperError`` of kind `io`, and what `body` throws; the file at `path` then stays as it was.
  public static func write(
    shape: [Int], to path: String, _ body: (_ append: ([Float]) throws -> Void) throws -> Void
  ) throws {
    try AtomicFile.write(to: path) { writer in
      var count = 0
      try writer.write(head("<f4", shape))
      try body { values in
        count += values.count
        try writer.write(encode(values))
      }
      precondition(count == elementCount(shape), "\(count) values do not fit shape \(shape)")
    }
  }
}
