/// An error that a user of Temper can act on: what is wrong, where, and what to do about it.
///
/// Every error that leaves Temper's modules is one of these, so that the command line can print one message
/// and exit with the code that ``Kind`` documents.
public struct TemperError: Error, CustomStringConvertible, Equatable, Sendable {
  /// What went wrong, in terms of the exit code that the command line gives for it.
  public enum Kind: Int32, Sendable {
    /// Unknown option, name or value.
    case usage = 64
    /// A file or array whose content is wrong: truncated, swapped, out of range, wrong shape.
    case badData = 65
    /// A file or data set that does not exist.
    case missingInput = 66
    /// The device asked for is absent, out of memory or lost.
    case deviceUnavailable = 69
    /// A fault of Temper itself.
    case `internal` = 70
    /// Reading or writing failed, for instance a full disk.
    case io = 74
    /// Stopped by the user; the state is saved and the same command resumes.
    case interrupted = 75
    /// The training loss became NaN or infinite.
    case nonFiniteLoss = 76
  }

  /// The kind, which decides the exit code.
  public let kind: Kind
  /// The file at fault, if any.
  public let file: String?
  /// The field, tensor, option or offset at fault, if any.
  public let field: String?
  /// What is wrong, as a sentence without its subject ("has 3 dimensions, 4 are needed").
  public let message: String
  /// What the user can do about it, as a sentence.
  public let remedy: String?

  /// Creates an error.
  public init(
    _ kind: Kind, file: String? = nil, field: String? = nil, _ message: String, remedy: String? = nil
  ) {
    self.kind = kind
    self.file = file
    self.field = field
    self.message = message
    self.remedy = remedy
  }

  /// The process exit code for this error.
  public var exitCode: Int32 { kind.rawValue }

  /// One line: file, field, message and remedy.
  public var description: String {
    let sentence = [file, field, message].compactMap { $0 }.joined(separator: ": ")
    let isEnded = sentence.last.map { ".!?".contains($0) } ?? true
    return sentence + (isEnded ? "" : ".") + (remedy.map { " \($0)" } ?? "")
  }
}
