import Attacks
import Datasets
import FileFormats
import Logits
import Networks
import Tensors

extension LogitTable {
  /// The logits of a network over images, in evaluation mode.
  /// - Parameters:
  ///   - source: the images; their batches' sample IDs become the table's.
  ///   - attack: perturbs the images first.
  ///   - measuresGradients: whether the gaps' gradients are measured too, see ``gapGradientNorms``.
  ///   - hasLabels: whether the source's labels mean anything; an attack needs them.
  ///   - limit: images used, from the first on, or nil for all.
  ///   - provenance: where the logits come from.
  ///   - progress: called after each batch with the number of samples done.
  public init(
    of network: any Network, over source: some BatchSource, attack: any Attack = NoAttack(),
    measuresGradients: Bool = false, hasLabels: Bool = true, limit: Int? = nil, batchSize: Int = 250,
    provenance: [String: String] = [:], progress: (Int) throws -> Void = { _ in }
  ) throws {
    var logits: [Float] = []
    var labels: [Int32] = []
    var ids: [Int64] = []
    var norms: [Float] = []
    for range in source.ranges(of: batchSize, limit: limit) {
      let batch = try source.batch(range)
      let images = try attack.perturb(batch, against: network)
      logits += try network(images).floats()
      if measuresGradients { norms += try gradientNorms(of: network, at: images) }
      labels += try batch.labels.integers()
      ids += try batch.sampleIDs.integers().map { Int64($0) }
      try progress(ids.count)
    }
    try self.init(
      logits: logits, classCount: network.description.classes, labels: hasLabels ? labels : nil,
      sampleIDs: ids, gapGradientNorms: measuresGradients ? norms : nil, provenance: provenance)
  }
}

extension LogitTable {
  /// Writes the logits of a network over images as a `.npy` file (N, K), batch by batch: neither the images nor the table need
  /// to fit the memory.
  /// - Returns: N.
  /// - Throws: `.badData` for logits that are NaN or infinite, `.io`; then there is no file.
  public static func write(
    of network: any Network, over source: some BatchSource, attack: any Attack = NoAttack(),
    limit: Int? = nil,
    batchSize: Int = 250, to path: String, progress: (Int) throws -> Void = { _ in }
  ) throws -> Int {
    let count = min(source.count, limit ?? .max)
    try NpyArray.write(shape: [count, network.description.classes], to: path) { append in
      for range in source.ranges(of: batchSize, limit: limit) {
        let batch = try source.batch(range)
        let logits = try network(try attack.perturb(batch, against: network)).floats()
        if let place = logits.firstIndex(where: { !$0.isFinite }) {
          throw TemperError(
            .badData, field: "logits",
            "row \(range.lowerBound + place / network.description.classes) is NaN or infinite",
            remedy: "Check the network's weights and the images' range.")
        }
        try append(logits)
        try progress(range.upperBound)
      }
    }
    return count
  }
}

/// The L1 norm by image of the gradient of each image's logit gap, (N).
private func gradientNorms(of network: any Network, at images: Tensor) throws -> [Float] {
  let predicted = try argmax(try network(images))
  // The margin loss to the predicted class is the gap's negative.
  let (_, gradient) = try valueWithGradient(at: images) {
    try marginLoss(try network($0), predicted, reduction: .sum)
  }
  let values = try gradient.floats()
  let size = values.count / images.shape[0]
  return (0..<images.shape[0]).map { row in
    values[row * size..<(row + 1) * size].reduce(0) { $0 + abs($1) }
  }
}
