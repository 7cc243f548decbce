extension Safetensors {
  /// Writes a `.safetensors` file. Equal content gives equal bytes: arrays go by falling item size, then by name.
  ///
  /// - Throws: ``TemperError`` of kind `io`; the file at `path` then stays as it was.
  public func write(to path: String) throws {
    try AtomicFile.write(to: path) { writer in
      let sorted = sortedTensors
      try writer.write(header(for: sorted))
      for tensor in sorted { try writer.write(tensor.bytes) }
    }
  }

  /// The bytes that ``write(to:)`` writes.
  public func serialized() -> [UInt8] {
    let sorted = sortedTensors
    return sorted.reduce(into: header(for: sorted)) { $0 += $1.bytes }
  }

  /// Falling item size keeps every array aligned to its elements.
  private var sortedTensors: [Tensor] {
    tensors.sorted { ($1.dtype.itemSize, $0.name) < ($0.dtype.itemSize, $1.name) }
  }

  /// Header length and JSON header, padded so that the data starts at a multiple of 8.
  private func header(for tensors: [Tensor]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { quotedJSON($0.key) + ":" + quotedJSON($0.value) }
      members.append("\"__metadata__\":{" + pairs.joined(separator: ",") + "}")
    }
    var offset = 0
    for tensor in tensors {
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let end = offset + tensor.bytes.count
      members.append(
        quotedJSON(tensor.name) + ":{\"dtype\":\"\(tensor.dtype.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var json = Array(("{" + members.joined(separator: ",") + "}").utf8)
    json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    return encode([UInt64(json.count)]) + json
  }
}
