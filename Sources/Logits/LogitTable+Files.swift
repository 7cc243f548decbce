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
  /// - Throws: ``TemperError`` of kind `usage` for another ending, `missingInput`, `io` or `badData`.
  public init(contentsOf path: String, labels labelPath: String? = nil) throws {
    self = try LogitFile(path, labels: labelPath).table()
  }

  /// Writes the table; the ending of `path` decides the format, see ``init(contentsOf:labels:)``.
  ///
  /// - Parameters:
  ///   - path: A file whose name ends in `.safetensors` (everything) or `.npy` (the logits only).
  ///   - labelPath: A `.npy` file for the labels, if the table has them.
  /// - Throws: ``TemperError`` of kind `usage` for another ending or labels that do not exist, or `io`.
  public func write(to path: String, labels labelPath: String? = nil) throws {
    let shape = [sampleCount, classCount]
    switch try LogitFile.Format(path) {
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
}
