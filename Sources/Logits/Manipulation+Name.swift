import FileFormats

extension Manipulation {
  /// Names on the command line.
  public static let names = ["intact", "uniform", "permute", "reverse"]

  /// A manipulation by its name on the command line.
  /// - Parameters:
  ///   - temperature: T of `uniform`.
  ///   - seed: of `permute`.
  /// - Throws: `.usage` for an unknown name.
  public init(named name: String, temperature: Double, seed: UInt64) throws {
    switch name {
    case "intact": self = .intact
    case "uniform": self = .uniformNonMax(temperature: temperature)
    case "permute": self = .permuteNonMax(seed: seed)
    case "reverse": self = .reverseNonMax
    default:
      throw TemperError(
        .usage, field: "--manipulation", "there is no manipulation \"\(name)\".",
        remedy: "Choose one of \(Self.names.joined(separator: ", ")).")
    }
  }
}
