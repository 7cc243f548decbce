import Foundation

/// The logits of a network for N samples of K classes, which are visited in pieces: a ``LogitTable`` in memory or a
/// ``LogitFile``, of which only a piece is.
public protocol LogitSamples: Sendable {
  /// The number of samples N, at least 1.
  var sampleCount: Int { get }
  /// The number of classes K, at least 2.
  var classCount: Int { get }
  /// Where the logits come from, by the names in ``LogitTable/ProvenanceKey`` and any others.
  var provenance: [String: String] { get }
  /// The file, for error messages.
  var file: String? { get }
  /// The true classes, (N), in 0 ..< K; nil if they are not known.
  func readLabels() throws -> [Int32]?
  /// The samples' ids, (N), without repetition; nil if they are 0 ..< N.
  func readSampleIDs() throws -> [Int64]?
  /// The L1 norm of each logit gap's gradient by the image, (N), at least 0; nil if it was not measured.
  func readGapGradientNorms() throws -> [Float]?
  /// Calls `body` with the logits of some rows after the other, (rows, K), each time with the first one's number. The
  /// pointer is valid during the call.
  func visitPieces(_ body: (_ firstRow: Int, _ logits: UnsafeBufferPointer<Float>) throws -> Void) throws
}

extension LogitSamples {
  /// The rows that are visited at a time: at most a million logits.
  var pieces: [Range<Int>] {
    let size = max(1, (1 << 20) / classCount)
    return stride(from: 0, to: sampleCount, by: size).map { $0..<min(sampleCount, $0 + size) }
  }

  /// Whether every row lies in [0, 1] and sums to 1 within 1e-5, as the output of a softmax does. Measures of
  /// such logits are misleading, so users should be warned.
  ///
  /// - Throws: ``TemperError`` of kind `io` or `badData` if a file cannot be read.
  public func looksLikeProbabilities() throws -> Bool {
    var looksSo = true
    try visitPieces { _, logits in
      for start in stride(from: 0, to: looksSo ? logits.count : 0, by: classCount) {
        let row = logits[start..<start + classCount]
        looksSo = row.allSatisfy { 0...1 ~= $0 } && abs(row.reduce(0) { $0 + Double($1) } - 1) < 1e-5
        if !looksSo { break }
      }
    }
    return looksSo
  }
}

extension LogitTable: LogitSamples {
  /// A table in memory names no file.
  public var file: String? { nil }
  /// ``labels``.
  public func readLabels() -> [Int32]? { labels }
  /// ``sampleIDs``.
  public func readSampleIDs() -> [Int64]? { sampleIDs }
  /// ``gapGradientNorms``.
  public func readGapGradientNorms() -> [Float]? { gapGradientNorms }

  /// Passes on the logits, at most a million at a time; throws what `body` throws.
  public func visitPieces(_ body: (_ firstRow: Int, _ logits: UnsafeBufferPointer<Float>) throws -> Void)
    rethrows
  {
    try logits.withUnsafeBufferPointer { all in
      for rows in pieces {
        let part = all[rows.lowerBound * classCount..<rows.upperBound * classCount]
        try body(rows.lowerBound, UnsafeBufferPointer(rebasing: part))
      }
    }
  }
}

/// Calls `body` with consecutive parts of 0 ..< count on all cores. The parts depend on `count` only, so that sums by part
/// have the same rounding everywhere.
func inParallel(_ count: Int, parts: Int = 16, _ body: (_ part: Int, _ range: Range<Int>) -> Void) {
  withoutActuallyEscaping(body) { body in
    nonisolated(unsafe) let body = body
    DispatchQueue.concurrentPerform(iterations: parts) { part in
      let range = count * part / parts..<count * (part + 1) / parts
      if !range.isEmpty { body(part, range) }
    }
  }
}
