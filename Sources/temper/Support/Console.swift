import Foundation

/// Standard error for people, standard output for results.
enum Console {
  /// Whether standard error is a terminal, so that a progress line may be redrawn.
  static let isTerminal = isatty(STDERR_FILENO) == 1
  /// Whether colours are welcome (https://no-color.org).
  static let hasColor = isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty

  /// A line on standard error.
  static func note(_ text: String) { write(text + "\n") }

  /// A line on standard error that begins with a coloured first word when that is welcome.
  static func error(_ text: String) {
    guard hasColor, let colon = text.firstIndex(of: ":") else { return note("temper: " + text) }
    note("temper: \u{1B}[31m\(text[..<colon])\u{1B}[0m\(text[colon...])")
  }

  /// A line that the next one replaces on a terminal; elsewhere nothing.
  static func transient(_ text: String) {
    if isTerminal { write("\r\u{1B}[2K" + text) }
  }

  /// Removes a transient line.
  static func clearTransient() {
    if isTerminal { write("\r\u{1B}[2K") }
  }

  /// A result on standard output.
  static func result(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

  /// A result as JSON with sorted keys.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    result(String(decoding: try encoder.encode(value), as: UTF8.self))
  }

  private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
