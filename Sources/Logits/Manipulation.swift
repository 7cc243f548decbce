import FileFormats
import Foundation
import Randomness

/// What can be done to a teacher's logits before a student learns from them. Each keeps the largest logit's
/// class; what else it keeps is said with it. Numbering as in the project's protocol.
public enum Manipulation: Sendable, Equatable {
  /// A1: nothing.
  case intact
  /// A2: every other logit is set to one value, so that the largest probability at `temperature` stays.
  case uniformNonMax(temperature: Double)
  /// A4: the other logits change places, once per sample, by (seed, sample). Keeps the maximum, the gap, the
  /// entropy and the sorted values at every temperature.
  case permuteNonMax(seed: UInt64)
  /// A10: the other logits change places so that their order is reversed. Keeps what A4 keeps.
  case reverseNonMax

  /// Names on the command line.
  public static let names = ["intact", "uniform", "permute", "reverse"]

  /// The name on the command line.
  public var name: String {
    switch self {
    case .intact: "intact"
    case .uniformNonMax: "uniform"
    case .permuteNonMax: "permute"
    case .reverseNonMax: "reverse"
    }
  }

  /// A manipulation by its name.
  /// - Throws: `.usage` for an unknown name.
  public init(named name: String, temperature: Double, seed: UInt64) throws {
    switch name {
    case "intact": self = .intact
    case "uniform": self = .uniformNonMax(temperature: temperature)
    case "permute": self = .permuteNonMax(seed: seed)
    case "reverse": self = .reverseNonMax
    default:
      throw TemperError(
        .usage, field: "--manipulation", "there is no manipulation \"\(name)\"",
        remedy: "Choose one of \(Self.names.joined(separator: ", ")).")
    }
  }
}

extension LogitTable {
  /// The table with every sample's logits changed.
  public func manipulated(by manipulation: Manipulation) throws -> LogitTable {
    guard manipulation != .intact else { return self }
    var changed = logits
    for row in 0..<count {
      let values = Array(self[row])
      let best = values.indices.dropFirst().reduce(0) { values[$1] > values[$0] ? $1 : $0 }
      let others = values.indices.filter { $0 != best }
      let replacement = manipulation.replacement(of: others.map { values[$0] }, sample: sampleIDs[row])
      for (index, value) in zip(others, replacement) { changed[row * classes + index] = value }
    }
    var provenance = provenance
    provenance["manipulation"] = manipulation.name
    return try LogitTable(
      logits: changed, classes: classes, labels: labels, sampleIDs: sampleIDs, provenance: provenance)
  }
}

extension Manipulation {
  /// New values for the logits other than the largest, in class order.
  fileprivate func replacement(of values: [Float], sample: Int64) -> [Float] {
    switch self {
    case .intact:
      return values
    case .uniformNonMax(let temperature):
      let largest = Double(values.max()!)
      let sum = values.reduce(0) { $0 + exp((Double($1) - largest) / temperature) }
      let level = largest + temperature * (log(sum) - log(Double(values.count)))
      return values.map { _ in Float(level) }
    case .permuteNonMax(let seed):
      let stream = RandomStream(seed: seed, purpose: .permutation, sample: UInt32(truncatingIfNeeded: sample))
      return stream.permutation(values.count).map { values[$0] }
    case .reverseNonMax:
      let order = values.indices.sorted { (values[$0], $1) > (values[$1], $0) }
      var reversed = values
      for (rank, index) in order.enumerated() { reversed[index] = values[order[order.count - 1 - rank]] }
      return reversed
    }
  }
}
