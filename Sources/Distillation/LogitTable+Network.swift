import Datasets
import Logits
import Networks

extension LogitTable {
  /// The logits of a network over images, in evaluation mode.
  /// - Parameters:
  ///   - source: the images; their batches' sample IDs become the table's.
  ///   - hasLabels: whether the source's labels mean anything.
  ///   - provenance: where the logits come from.
  ///   - progress: called after each batch with the number of samples done.
  public init(
    of network: any Network, over source: some BatchSource, hasLabels: Bool = true, limit: Int? = nil,
    batchSize: Int = 250, provenance: [String: String] = [:], progress: (Int) throws -> Void = { _ in }
  ) throws {
    var logits: [Float] = []
    var labels: [Int32] = []
    var ids: [Int64] = []
    for range in source.ranges(of: batchSize, limit: limit) {
      let batch = try source.batch(range)
      logits += try network(batch.images).floats()
      labels += try batch.labels.integers()
      ids += try batch.sampleIDs.integers().map { Int64($0) }
      try progress(ids.count)
    }
    try self.init(
      logits: logits, classCount: network.description.classes, labels: hasLabels ? labels : nil,
      sampleIDs: ids, provenance: provenance)
  }
}
