import FileFormats

/// A table of logits in a file, of which only a piece is in memory at a time. What it holds and which formats there are:
/// see ``LogitTable/init(contentsOf:labels:)``.
public struct LogitFile: LogitSamples {
  /// The number of samples N, at least 1.
  public let sampleCount: Int
  /// The number of classes K, at least 2.
  public let classCount: Int
  /// The metadata of a safetensors file; empty otherwise.
  public let provenance: [String: String]
  /// Its path.
  public var file: String? { path }
  private let path: String
  private let logits: ArrayRows
  private let labels, sampleIDs, gapGradientNorms: Vector?

  /// One number per sample, and the file that errors name.
  private struct Vector: Sendable {
    let rows: ArrayRows
    let path: String
  }

  /// Opens a table and checks shapes and types, not the values.
  ///
  /// - Parameters:
  ///   - path: A file whose name ends in `.safetensors`, `.npz` or `.npy`.
  ///   - labelPath: A `.npy` file with labels (N), which replace those in `path`.
  /// - Throws: ``TemperError`` of kind `usage` for another ending, `missingInput`, `io` or `badData`.
  public init(_ path: String, labels labelPath: String? = nil) throws {
    let (logits, others, metadata) = try Self.arrays(path)
    guard logits.shape.count == 2 else {
      throw TemperError(
        .badData, file: path, field: "logits", "have shape \(logits.shape); (samples, classes) is needed.")
    }
    func vector(_ name: String) throws -> Vector? {
      try others[name].map { try Self.vector($0, name, path) }
    }
    _ = try logits.floats(0..<0)
    classCount = logits.shape[1]
    sampleCount = try LogitTable.sampleCount(logits.shape[0] * classCount, classCount, path)
    labels =
      try labelPath.map { try Self.vector(ArrayRows(npy: $0, reordersColumns: true), "labels", $0) }
      ?? vector("labels")
    sampleIDs = try vector("sample_ids")
    gapGradientNorms = try vector("gap_gradient_norms")
    (self.path, self.logits, provenance) = (path, logits, metadata)
  }

  /// Opens a table, and reads it as a whole if that takes at most 64 MB: it is analysed faster in memory.
  ///
  /// - Throws: As ``init(_:labels:)`` and ``table()``.
  public static func open(_ path: String, labels: String? = nil) throws -> any LogitSamples {
    let file = try LogitFile(path, labels: labels)
    return file.sampleCount * file.classCount <= 1 << 24 ? try file.table() : file
  }

  /// The whole table.
  ///
  /// - Throws: ``TemperError`` of kind `io` or `badData`.
  public func table() throws -> LogitTable {
    var all: [Float] = []
    all.reserveCapacity(sampleCount * classCount)
    for rows in pieces { all += try logits.floats(rows) }
    return try LogitTable(
      logits: all, classCount: classCount, labels: readLabels(), sampleIDs: readSampleIDs(),
      gapGradientNorms: readGapGradientNorms(), provenance: provenance, file: path)
  }

  /// The true classes, (N), if the file or the labels' file has them.
  ///
  /// - Throws: ``TemperError`` of kind `io`, or `badData` for other numbers than one class per sample.
  public func readLabels() throws -> [Int32]? {
    try labels.map { labels in
      let values = try labels.rows.int32s(0..<labels.rows.count)
      try LogitTable.check(labels: values, sampleCount, classCount, labels.path)
      return values
    }
  }

  /// The samples' ids, (N); nil if the file has none.
  ///
  /// - Throws: ``TemperError`` of kind `io`, or `badData` if they are not N different ones.
  public func readSampleIDs() throws -> [Int64]? {
    try sampleIDs.map { ids in
      let values = try ids.rows.int64s(0..<ids.rows.count)
      try LogitTable.check(sampleIDs: values, sampleCount, path)
      return values
    }
  }

  /// The L1 norm of each gap's gradient, (N); nil if the file has none.
  ///
  /// - Throws: ``TemperError`` of kind `io`, or `badData` if they are not N numbers from 0 on.
  public func readGapGradientNorms() throws -> [Float]? {
    try gapGradientNorms.map { norms in
      let values = try norms.rows.floats(0..<norms.rows.count)
      try LogitTable.check(norms: values, sampleCount, path)
      return values
    }
  }

  /// Reads the logits, at most a million at a time; see ``LogitSamples``. They need not be finite.
  ///
  /// - Throws: ``TemperError`` of kind `io` or `badData`, and what `body` throws.
  public func visitPieces(_ body: (_ firstRow: Int, _ logits: UnsafeBufferPointer<Float>) throws -> Void)
    throws
  {
    for rows in pieces {
      try logits.floats(rows).withUnsafeBufferPointer { try body(rows.lowerBound, $0) }
    }
  }

  private static func vector(_ rows: ArrayRows, _ field: String, _ path: String) throws -> Vector {
    guard rows.shape.count == 1 else {
      throw TemperError(
        .badData, file: path, field: field, "have shape \(rows.shape); one dimension is needed.")
    }
    return Vector(rows: rows, path: path)
  }

  /// The logits, the other arrays by name, and the metadata.
  private static func arrays(
    _ path: String
  ) throws -> (logits: ArrayRows, others: [String: ArrayRows], metadata: [String: String]) {
    switch try Format(path) {
    case .safetensors:
      let file = try SafetensorsFile(contentsOf: path)
      let others = Set(file.names).intersection(optional)
      return (
        try file.rows(of: "logits"),
        try others.reduce(into: [:]) { $0[$1] = try file.rows(of: $1) }, file.metadata
      )
    case .npz:
      let file = try NpzArchive(contentsOf: path)
      let others = Set(file.names).intersection(optional)
      return (
        try file.rows(of: file.names.count == 1 ? file.names[0] : "logits"),
        try others.reduce(into: [:]) { $0[$1] = try file.rows(of: $1) }, [:]
      )
    case .npy: return (try ArrayRows(npy: path, reordersColumns: true), [:], [:])
    }
  }

  private static let optional: Set<String> = ["labels", "sample_ids", "gap_gradient_norms"]

  /// How logits are stored.
  enum Format {
    case safetensors, npy, npz

    init(_ path: String) throws {
      if path.hasSuffix(".safetensors") {
        self = .safetensors
      } else if path.hasSuffix(".npy") {
        self = .npy
      } else if path.hasSuffix(".npz") {
        self = .npz
      } else {
        throw TemperError(
          .usage, file: path, "has no ending that says how logits are stored.",
          remedy: "Use a name that ends in .safetensors, .npz or .npy.")
      }
    }
  }
}
