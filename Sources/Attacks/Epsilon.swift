import FileFormats

/// The size of a threat model's ball in pixel units of [0, 1], kept as the user wrote it: `8/255` stays exact
/// in files and reports, and becomes the nearest float only where it is used.
public struct Epsilon: Sendable, Hashable, CustomStringConvertible {
  /// As written, such as `8/255` or `0.1`.
  public let text: String
  /// The number behind the text.
  public let value: Double

  /// Reads a decimal number or a fraction.
  /// - Throws: `.usage` for anything else, a negative or infinite number.
  public init(_ text: String) throws {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map {
      Double($0.trimmingWhitespace())
    }
    var value: Double?
    if parts.count == 1 { value = parts[0] }
    if parts.count == 2, let numerator = parts[0], let denominator = parts[1], denominator != 0 {
      value = numerator / denominator
    }
    guard let value, value.isFinite, value >= 0 else {
      throw TemperError(
        .usage, field: "epsilon", "\"\(text)\" is no size of a ball",
        remedy: "Give a number or a fraction of at least 0 in pixel units of [0, 1], such as 0.1 or 8/255.")
    }
    self.text = text
    self.value = value
  }

  /// An epsilon from a number.
  public init(_ value: Double) {
    precondition(value >= 0 && value.isFinite, "epsilon \(value)")
    text = "\(value)"
    self.value = value
  }

  /// The nearest float.
  public var float: Float { Float(value) }
  /// As written.
  public var description: String { text }
}

extension Substring {
  fileprivate func trimmingWhitespace() -> String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
