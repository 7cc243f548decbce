import FileFormats

/// The logits of a network over a data set: samples x classes, with labels and where they come from. It is
/// computed once and stored; everything about logits works on it without a network or a device.
public struct LogitTable: Sendable, Equatable {
  /// Number of classes, at least 2.
  public let classes: Int
  /// (samples, classes), row-major.
  public let logits: [Float]
  /// The true class of each sample, or nil when unknown.
  public let labels: [Int32]?
  /// Each sample's index in the original data set.
  public let sampleIDs: [Int64]
  /// Where the logits come from: model, data set, split, weights, seed, manipulation.
  public var provenance: [String: String]

  /// Number of samples.
  public var count: Int { sampleIDs.count }

  /// Creates a table.
  /// - Throws: `.badData` for fewer than two classes or no samples, NaN or infinite logits, a label out of
  ///   range, or counts that do not fit.
  public init(
    logits: [Float], classes: Int, labels: [Int32]? = nil, sampleIDs: [Int64]? = nil,
    provenance: [String: String] = [:], file: String? = nil
  ) throws {
    func bad(_ field: String, _ message: String, _ remedy: String? = nil) -> TemperError {
      TemperError(.badData, file: file, field: field, message, remedy: remedy)
    }
    guard classes >= 2 else { throw bad("logits", "have \(classes) classes; at least 2 are needed") }
    guard !logits.isEmpty, logits.count % classes == 0 else { throw bad("logits", "hold no whole rows") }
    let count = logits.count / classes
    if let index = logits.firstIndex(where: { !$0.isFinite }) {
      throw bad("logits, row \(index / classes)", "holds \(logits[index])", "Remove the sample or mend the network.")
    }
    if let labels {
      guard labels.count == count else { throw bad("labels", "are \(labels.count) for \(count) samples") }
      if let row = labels.firstIndex(where: { $0 < 0 || $0 >= classes }) {
        throw bad("label \(row)", "is \(labels[row]); there are \(classes) classes")
      }
    }
    guard sampleIDs.map({ $0.count == count }) ?? true else {
      throw bad("sample_ids", "are \(sampleIDs!.count) for \(count) samples")
    }
    self.classes = classes
    self.logits = logits
    self.labels = labels
    self.sampleIDs = sampleIDs ?? Array(0..<Int64(count))
    self.provenance = provenance
  }

  /// The logits of one sample.
  public subscript(row: Int) -> ArraySlice<Float> { logits[row * classes..<(row + 1) * classes] }

  /// Whether every row lies in [0, 1] and sums to 1: probabilities that someone took for logits.
  public var looksLikeProbabilities: Bool {
    (0..<count).allSatisfy { row in
      let values = self[row]
      return values.allSatisfy { (0...1).contains($0) }
        && abs(values.reduce(0) { $0 + Double($1) } - 1) < 1e-5
    }
  }
}

// MARK: Files

extension LogitTable {
  /// Reads a table: `.safetensors` as Temper writes it, or a `.npy` array (samples, classes).
  /// - Parameter labels: a `.npy` file of labels for tables that hold none.
  public init(contentsOf path: String, labels labelFile: String? = nil) throws {
    let given = try labelFile.map { try NpyArray(contentsOf: $0).integers().map { Int32(clamping: $0) } }
    if path.hasSuffix(".npy") {
      let array = try NpyArray(contentsOf: path)
      guard array.shape.count == 2 else {
        throw TemperError(
          .badData, file: path, field: "shape", "is \(array.shape); logits are (samples, classes)")
      }
      try self.init(logits: array.floats(), classes: array.shape[1], labels: given, file: path)
      return
    }
    let file = try Safetensors(contentsOf: path)
    let (shape, values) = try file.floats("logits")
    guard shape.count == 2 else {
      throw TemperError(.badData, file: path, field: "logits", "have the shape \(shape), not (samples, classes)")
    }
    let stored = file.contains("labels") ? try file.integers("labels").values.map { Int32(clamping: $0) } : nil
    let ids = file.contains("sample_ids") ? try file.integers("sample_ids").values : nil
    try self.init(
      logits: values, classes: shape[1], labels: given ?? stored, sampleIDs: ids, provenance: file.metadata, file: path)
  }

  /// Writes the table as `.safetensors` with everything, or as `.npy` with the logits alone.
  /// - Throws: `.usage` for another ending.
  public func write(to path: String) throws {
    if path.hasSuffix(".npy") { return try NpyArray(shape: [count, classes], floats: logits).write(to: path) }
    guard path.hasSuffix(".safetensors") else {
      throw TemperError(.usage, file: path, "has another ending than .safetensors or .npy", remedy: "Choose one.")
    }
    var file = Safetensors()
    file.metadata = provenance
    try file.append("logits", shape: [count, classes], floats: logits)
    if let labels { try file.append("labels", shape: [count], integers: labels.map { Int64($0) }) }
    try file.append("sample_ids", shape: [count], integers: sampleIDs)
    try file.write(to: path)
  }
}
