import FileFormats

extension LogitTable {
  /// Reads a table.
  ///
  /// A `.safetensors` file holds `logits` (N, K) and optionally `labels` (N), `sample_ids` (N) and the provenance
  /// as metadata, and `gap_gradient_norms` (N) if they were measured. A `.npz` file holds the same arrays (or `logits` as its
  /// only one, of any name). A `.npy` file holds the logits alone.
  ///
  /// - Parameters:
  ///   - path: A file whose name ends in `.safetensors`, `.npz` or `.npy`.
  ///   - labelPath: A `.npy` file with labels (N), which replace those in `path`.
  ///   - mostSamples: Of more samples every n-th is kept, the first one included, with its row as its id; nil keeps all. A
  ///     `.npy` file is then read in pieces, so that it may be larger than the memory.
  /// - Throws: ``TemperError`` of kind `usage` for another ending, `missingInput`, `io` or `badData`.
  public init(contentsOf path: String, labels labelPath: String? = nil, mostSamples: Int? = nil) throws {
    switch try Format(path) {
    case .safetensors:
      let stored = try labelPath.map { try Self.labels(NpyArray(contentsOf: $0), $0) }
      let file = try Safetensors(contentsOf: path)
      let logits = try file.floats("logits")
      let labels = file.contains("labels") ? try Self.vector(file.int32s("labels"), "labels", path) : nil
      let ids =
        file.contains("sample_ids") ? try Self.vector(file.int64s("sample_ids"), "sample_ids", path) : nil
      let norms =
        file.contains("gap_gradient_norms")
        ? try Self.vector(file.floats("gap_gradient_norms"), "gap_gradient_norms", path) : nil
      self = try LogitTable(
        logits: logits.values, classCount: try Self.classCount(logits.shape, path), labels: stored ?? labels,
        sampleIDs: ids, gapGradientNorms: norms, provenance: file.metadata, file: path,
        labelFile: labelPath
      ).thinned(mostSamples)
    case .npz:
      let file = try NpzArchive(contentsOf: path)
      let logits = try file.array(file.names.count == 1 ? file.names[0] : "logits")
      func optional<Value>(_ name: String, _ read: (NpyArray) throws -> Value) throws -> Value? {
        file.names.contains(name) ? try read(try file.array(name)) : nil
      }
      let stored = try labelPath.map { try Self.labels(NpyArray(contentsOf: $0), $0) }
      self = try LogitTable(
        logits: try logits.floats(), classCount: try Self.classCount(logits.shape, path),
        labels: try stored ?? optional("labels") { try Self.labels($0, path) },
        sampleIDs: try optional("sample_ids") {
          try Self.vector(($0.shape, $0.int64s()), "sample_ids", path)
        },
        gapGradientNorms: try optional("gap_gradient_norms") {
          try Self.vector(($0.shape, $0.floats()), "gap_gradient_norms", path)
        }, file: path, labelFile: labelPath
      ).thinned(mostSamples)
    case .npy:
      let most = mostSamples ?? .max
      let (array, count, step) = try NpyArray.thinned(contentsOf: path, mostRows: most)
      let stored = try labelPath.map { labelPath in
        let (labels, labelCount, _) = try NpyArray.thinned(contentsOf: labelPath, mostRows: most)
        guard labelCount == count else {
          throw TemperError(
            .badData, file: labelPath, field: "labels", "are \(labelCount) for \(count) samples.")
        }
        return try Self.labels(labels, labelPath)
      }
      try self.init(
        logits: try array.floats(), classCount: try Self.classCount(array.shape, path), labels: stored,
        sampleIDs: stride(from: 0, to: count, by: step).map { Int64($0) }, file: path,
        labelFile: labelPath)
      note(step, of: count)
    }
  }

  /// Writes the table; the ending of `path` decides the format, see ``init(contentsOf:labels:)``.
  ///
  /// - Parameters:
  ///   - path: A file whose name ends in `.safetensors` (everything) or `.npy` (the logits only).
  ///   - labelPath: A `.npy` file for the labels, if the table has them.
  /// - Throws: ``TemperError`` of kind `usage` for another ending or labels that do not exist, or `io`.
  public func write(to path: String, labels labelPath: String? = nil) throws {
    let shape = [sampleCount, classCount]
    switch try Format(path) {
    case .safetensors:
      var file = Safetensors(metadata: provenance)
      try file.append("logits", shape: shape, floats: logits)
      if let labels { try file.append("labels", shape: [sampleCount], int32s: labels) }
      try file.append("sample_ids", shape: [sampleCount], int64s: sampleIDs)
      if let gapGradientNorms {
        try file.append("gap_gradient_norms", shape: [sampleCount], floats: gapGradientNorms)
      }
      try file.write(to: path)
    case .npy:
      try NpyArray(shape: shape, .float32(logits)).write(to: path)
    case .npz:
      throw TemperError(
        .usage, file: path, "cannot be written: .npz is read only.", remedy: "Use .safetensors or .npy.")
    }
    if let labelPath {
      guard let labels else {
        throw TemperError(.usage, file: labelPath, "cannot be written: there are no labels.")
      }
      try NpyArray(shape: [sampleCount], .int32(labels)).write(to: labelPath)
    }
  }

  private enum Format {
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

  private static func labels(_ array: NpyArray, _ path: String) throws -> [Int32] {
    try vector((array.shape, array.int32s()), "labels", path)
  }

  /// Every n-th sample, so that at most so many are left.
  private func thinned(_ mostSamples: Int?) -> LogitTable {
    let step = mostSamples.map { (sampleCount - 1) / $0 + 1 } ?? 1
    guard step > 1 else { return self }
    var table = selecting(Array(stride(from: 0, to: sampleCount, by: step)))
    table.note(step, of: sampleCount)
    return table
  }

  /// Says in the provenance which samples of a larger table these are.
  private mutating func note(_ step: Int, of count: Int) {
    if step > 1 { provenance[ProvenanceKey.samples] = "every \(step)th of \(count)" }
  }

  private static func vector<Number>(
    _ array: (shape: [Int], values: [Number]), _ field: String, _ path: String
  ) throws -> [Number] {
    guard array.shape.count == 1 else {
      throw TemperError(
        .badData, file: path, field: field, "have shape \(array.shape); one dimension is needed.")
    }
    return array.values
  }

  private static func classCount(_ shape: [Int], _ path: String) throws -> Int {
    guard shape.count == 2 else {
      let message = "have shape \(shape); (samples, classes) is needed."
      throw TemperError(.badData, file: path, field: "logits", message)
    }
    return shape[1]
  }
}
