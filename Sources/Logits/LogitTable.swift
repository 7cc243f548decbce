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
  /// - Throws: ``TemperError`` of kind `badData`, naming the row at fault.
  public init(
    logits: [Float], classCount: Int, labels: [Int32]? = nil, sampleIDs: [Int64]? = nil,
    gapGradientNorms: [Float]? = nil, provenance: [String: String] = [:], file: String? = nil
  ) throws {
    let count = try Self.sampleCount(logits.count, classCount, file)
    try Self.check(logits: logits, classCount: classCount, file: file)
    if let labels { try Self.check(labels: labels, count, classCount, file) }
    if let sampleIDs { try Self.check(sampleIDs: sampleIDs, count, file) }
    if let gapGradientNorms { try Self.check(norms: gapGradientNorms, count, file) }
    let sampleIDs = sampleIDs ?? (0..<Int64(count)).map { $0 }
    (sampleCount, self.classCount, self.logits) = (count, classCount, logits)
    (self.labels, self.sampleIDs, self.provenance) = (labels, sampleIDs, provenance)
    self.gapGradientNorms = gapGradientNorms
  }

  /// The logits of sample `row`, (K).
  public func row(_ row: Int) -> ArraySlice<Float> {
    logits[row * classCount..<(row + 1) * classCount]
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
