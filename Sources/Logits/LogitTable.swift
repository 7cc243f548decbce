import FileFormats

/// The logits of a network for a set of samples, with labels and where they come from.
///
/// All logits are finite, there are at least one sample and two classes, labels lie in 0 ..< ``classCount`` and
/// no sample id occurs twice: the initialisers refuse anything else.
public struct LogitTable: Sendable, Equatable {
  /// The number of samples N, at least 1.
  public let sampleCount: Int
  /// The number of classes K, at least 2.
  public let classCount: Int
  /// The logits, (N, K) row-major.
  public let logits: [Float]
  /// The true classes, (N), if known.
  public let labels: [Int32]?
  /// The samples' places in their data set, (N). They match the rows of two tables.
  public let sampleIDs: [Int64]
  /// The L1 norm of each logit gap's gradient by the image, (N), if it was measured; finite and at least 0.
  public let gapGradientNorms: [Float]?
  /// Where the logits come from, by the names in ``ProvenanceKey`` and any others.
  public var provenance: [String: String]

  /// The usual names in ``LogitTable/provenance``.
  public enum ProvenanceKey {
    /// The network's architecture.
    public static let model = "model"
    /// The data set.
    public static let dataset = "dataset"
    /// The part of the data set: train, validation or test.
    public static let split = "split"
    /// The SHA-256 of the images' bytes. Tables of other images are not compared.
    public static let imagesSHA256 = "images_sha256"
    /// The SHA-256 of the weights file.
    public static let weightsSHA256 = "weights_sha256"
    /// The seed of the training run.
    public static let seed = "seed"
    /// The radius of the attack on the inputs, or 0.
    public static let epsilon = "epsilon"
    /// The attack on the inputs, or none.
    public static let attack = "attack"
    /// Which samples of a larger table these are, such as "every 50th of 10000000".
    public static let samples = "samples"
    /// How the logits were changed; see ``Manipulation``.
    public static let manipulation = "manipulation"
  }

  /// Creates a table.
  ///
  /// - Parameters:
  ///   - logits: (N, K) row-major.
  ///   - classCount: K.
  ///   - labels: (N), or nil.
  ///   - sampleIDs: (N), or nil for 0 ..< N.
  ///   - file: Names the source in errors.
  ///   - labelFile: Names the source of the labels in errors, if it is another one.
  /// - Throws: ``TemperError`` of kind `badData`, naming the row at fault.
  public init(
    logits: [Float], classCount: Int, labels: [Int32]? = nil, sampleIDs: [Int64]? = nil,
    gapGradientNorms: [Float]? = nil, provenance: [String: String] = [:], file: String? = nil,
    labelFile: String? = nil
  ) throws {
    func fault(_ field: String, _ message: String, _ remedy: String? = nil) -> TemperError {
      let source = field == "labels" ? labelFile ?? file : file
      return TemperError(.badData, file: source, field: field, message, remedy: remedy)
    }
    guard classCount >= 2 else { throw fault("logits", "have \(classCount) classes; at least 2 are needed.") }
    let count = logits.count / classCount
    guard count > 0, logits.count == count * classCount else {
      throw fault("logits", "are \(logits.count) numbers, which make no rows of \(classCount) classes.")
    }
    if let place = logits.firstIndex(where: { !$0.isFinite }) {
      throw fault(
        "logits", "row \(place / classCount), class \(place % classCount) is \(logits[place]).",
        "The network diverged or the file is damaged.")
    }
    if let labels {
      guard labels.count == count else { throw fault("labels", "are \(labels.count) for \(count) samples.") }
      if let row = labels.firstIndex(where: { !(0..<classCount ~= Int($0)) }) {
        throw fault("labels", "row \(row) is \(labels[row]); classes are 0 to \(classCount - 1).")
      }
    }
    let sampleIDs = sampleIDs ?? (0..<Int64(count)).map { $0 }
    guard sampleIDs.count == count else {
      throw fault("sample_ids", "are \(sampleIDs.count) for \(count) samples.")
    }
    var seen: Set<Int64> = []
    if let row = sampleIDs.firstIndex(where: { !seen.insert($0).inserted }) {
      throw fault("sample_ids", "row \(row) repeats the id \(sampleIDs[row]).")
    }
    if let norms = gapGradientNorms {
      guard norms.count == count else {
        throw fault("gap_gradient_norms", "are \(norms.count) for \(count) samples.")
      }
      if let row = norms.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
        throw fault("gap_gradient_norms", "row \(row) is \(norms[row]).")
      }
    }
    (sampleCount, self.classCount, self.logits) = (count, classCount, logits)
    (self.labels, self.sampleIDs, self.provenance) = (labels, sampleIDs, provenance)
    self.gapGradientNorms = gapGradientNorms
  }

  /// The logits of sample `row`, (K).
  public func row(_ row: Int) -> ArraySlice<Float> {
    logits[row * classCount..<(row + 1) * classCount]
  }

  /// Whether every row lies in [0, 1] and sums to 1 within 1e-5, as the output of a softmax does. Measures of
  /// such a table are misleading, so users should be warned.
  public var looksLikeProbabilities: Bool {
    (0..<sampleCount).allSatisfy { index in
      let row = row(index)
      return row.allSatisfy { 0...1 ~= $0 } && abs(row.reduce(0) { $0 + Double($1) } - 1) < 1e-5
    }
  }

  /// The table with the given rows in the given order.
  ///
  /// - Precondition: `rows` is not empty, has no repetition and lies in 0 ..< ``sampleCount``.
  public func selecting(_ rows: [Int]) -> LogitTable {
    LogitTable(
      unchecked: rows.flatMap { row($0) }, classCount: classCount,
      labels: labels.map { all in rows.map { all[$0] } },
      sampleIDs: rows.map { sampleIDs[$0] },
      gapGradientNorms: gapGradientNorms.map { all in rows.map { all[$0] } }, provenance: provenance)
  }

  /// Creates a table from parts known to be valid.
  init(
    unchecked logits: [Float], classCount: Int, labels: [Int32]?, sampleIDs: [Int64],
    gapGradientNorms: [Float]?, provenance: [String: String]
  ) {
    precondition(!sampleIDs.isEmpty && logits.count == sampleIDs.count * classCount)
    (sampleCount, self.classCount, self.logits) = (sampleIDs.count, classCount, logits)
    (self.labels, self.sampleIDs, self.provenance) = (labels, sampleIDs, provenance)
    self.gapGradientNorms = gapGradientNorms
  }
}
