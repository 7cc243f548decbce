import Attacks
import Datasets
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
