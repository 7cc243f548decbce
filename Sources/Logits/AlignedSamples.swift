import FileFormats
import Statistics

/// A network's logits with its samples in the order of the first network's: `place` is the place in that order, `row` the one
/// in the network's own table.
///
/// Everything is one number per sample, computed in a pass over the table and kept by nobody: of N samples, 8 N bytes a
/// measure, however many classes and networks there are. Of at most a million samples the sums of softmax are kept, 24 N bytes.
struct AlignedSamples {
  let samples: any LogitSamples
  /// The place of each row; nil if they are equal.
  let places: [UInt32]?
  /// The true classes by place, if any network's table has them.
  let labels: [Int32]?
  /// What logits, and norms of their gradients, are divided by.
  private(set) var temperature = 1.0
  /// By row; nil if they are computed anew each time.
  private var softmaxes: [LogitRow.Softmax]?
  private static let mostKept = 1 << 20

  var sampleCount: Int { samples.sampleCount }
  var classCount: Int { samples.classCount }

  init(_ samples: any LogitSamples, places: [UInt32]?, labels: [Int32]?) {
    (self.samples, self.places, self.labels) = (samples, places, labels)
  }

  /// The same with the sums of softmax kept, unless they are many.
  func keepingSoftmax() throws -> AlignedSamples {
    guard sampleCount <= Self.mostKept, classCount > 2 else { return self }
    let none = LogitRow.Softmax()
    var sums = [LogitRow.Softmax](repeating: none, count: sampleCount)
    try sums.withUnsafeMutableBufferPointer { target in
      try visit { row, _, logits, _ in target[row] = logits.softmax }
    }
    var copy = self
    copy.softmaxes = sums
    return copy
  }

  /// A table in its own order.
  init(_ table: LogitTable) { self.init(table, places: nil, labels: table.labels) }

  /// The same with all logits divided by a temperature above 0.
  func divided(by temperature: Double) -> AlignedSamples {
    var copy = self
    copy.temperature *= temperature
    copy.softmaxes = nil
    return copy
  }

  /// A number for each sample, by place; on all cores.
  func map<Value>(
    _ initial: Value, _ value: (_ logits: LogitRow, _ row: Int, _ place: Int) -> Value
  ) throws -> [Value] {
    var result = [Value](repeating: initial, count: sampleCount)
    try result.withUnsafeMutableBufferPointer { target in
      try visit { row, place, logits, _ in target[place] = value(logits, row, place) }
    }
    return result
  }

  /// The sum over samples, always with the same rounding.
  func sum(_ value: (_ logits: LogitRow, _ place: Int) -> SIMD2<Double>) throws -> SIMD2<Double> {
    var total = SIMD2<Double>.zero
    var parts = [SIMD2<Double>](repeating: .zero, count: 16)
    let pieces = samples.pieces.map(\.lowerBound)
    var current = pieces[0]
    try parts.withUnsafeMutableBufferPointer { parts in
      func close() {
        total += parts.reduce(.zero, +)
        parts.update(repeating: .zero)
      }
      try visit(before: { first in
        if first != current { close() }
        current = first
      }) { _, place, logits, part in parts[part] += value(logits, place) }
      close()
    }
    return total
  }

  /// Calls `body` for each sample, concurrently for different parts.
  private func visit(
    before: (_ firstRow: Int) -> Void = { _ in },
    _ body: (_ row: Int, _ place: Int, _ logits: LogitRow, _ part: Int) -> Void
  ) throws {
    let classes = classCount
    try samples.visitPieces { first, logits in
      before(first)
      scaled(logits) { logits in
        inParallel(logits.count / classes) { part, rows in
          for offset in rows {
            let row = first + offset
            let values = UnsafeBufferPointer(start: logits.baseAddress! + offset * classes, count: classes)
            let logits = LogitRow(values, softmax: softmaxes?[row])
            body(row, places.map { Int($0[row]) } ?? row, logits, part)
          }
        }
      }
    }
  }

  private func scaled(_ logits: UnsafeBufferPointer<Float>, _ body: (UnsafeBufferPointer<Float>) -> Void) {
    guard temperature != 1 else { return body(logits) }
    logits.map { Float(Double($0) / temperature) }.withUnsafeBufferPointer(body)
  }

  /// The values of `measure`, (N) by place; nil if the table lacks what it needs.
  func values(_ measure: Measure) throws -> [Double]? {
    switch measure {
    case .maxLogit: return try map(0) { z, _, _ in z.maximum }
    case .centredMax: return try map(0) { z, _, _ in z.centredMax }
    case .logitGap: return try map(0) { z, _, _ in z.gap(to: 2) }
    case .thirdGap: return classCount > 2 ? try map(0) { z, _, _ in z.gap(to: 3) } : nil
    case .confidence: return try map(0) { z, _, _ in z.softmax.confidence }
    case .entropy: return try map(0) { z, _, _ in z.softmax.entropy }
    case .margin, .crossEntropy, .excess:
      return try labels.map { labels in
        try map(0) { z, _, place in
          let label = Int(labels[place])
          if measure == .margin { return z.margin(to: label) }
          let softmax = z.softmax
          let loss = softmax.crossEntropy(z.values[label])
          return measure == .excess ? loss - softmax.entropy : loss
        }
      }
    case .gapGradient, .localRadius:
      return try samples.readGapGradientNorms().map { norms in
        try map(0) { z, row, _ in
          let norm = Double(temperature == 1 ? norms[row] : Float(Double(norms[row]) / temperature))
          if measure == .gapGradient { return norm }
          let gap = z.gap(to: 2)
          return gap < norm ? gap / norm : 1
        }
      }
    }
  }

  /// Each sample's confidence less 1: confidences that round to 1 still differ.
  func certainties() throws -> [Double] { try map(0) { z, _, _ in -z.softmax.doubt } }

  /// Whether the predicted class is the true one; nil without labels.
  func isCorrect() throws -> [Bool]? {
    try labels.map { labels in try map(false) { z, _, place in z.predicted == Int(labels[place]) } }
  }

  /// The samples at every n-th place, the first one included, as a table. Logits are not divided.
  func table(every step: Int) throws -> LogitTable {
    let count = (sampleCount - 1) / step + 1
    var logits = [Float](repeating: 0, count: count * classCount)
    try logits.withUnsafeMutableBufferPointer { target in
      try visit { _, place, row, _ in
        guard place.isMultiple(of: step) else { return }
        for (index, value) in row.values.enumerated() { target[place / step * classCount + index] = value }
      }
    }
    func chosen<Value>(_ byRow: [Value]) -> [Value] {
      var result = [Value](repeating: byRow[0], count: count)
      for (row, value) in byRow.enumerated() {
        let place = places.map { Int($0[row]) } ?? row
        if place.isMultiple(of: step) { result[place / step] = value }
      }
      return result
    }
    var provenance = samples.provenance
    if step > 1 { provenance[LogitTable.ProvenanceKey.samples] = "every \(step)th of \(sampleCount)" }
    return LogitTable(
      unchecked: logits, classCount: classCount,
      labels: labels.map { all in stride(from: 0, to: sampleCount, by: step).map { all[$0] } },
      sampleIDs: try samples.readSampleIDs().map(chosen)
        ?? stride(from: 0, to: sampleCount, by: step).map { Int64($0) },
      gapGradientNorms: try samples.readGapGradientNorms().map(chosen), provenance: provenance)
  }

  /// A number that equal logits of equal samples share, and others hardly ever; logits that are not finite are refused.
  func fingerprint() throws -> UInt64 {
    var total: UInt64 = 0
    let classes = classCount
    try samples.visitPieces { first, logits in
      try LogitTable.check(logits: logits, classCount: classes, firstRow: first, file: samples.file)
      for start in stride(from: 0, to: logits.count, by: classes) {
        let row = first + start / classes
        var hash = UInt64(places.map { Int($0[row]) } ?? row) &* 0x9E37_79B9_7F4A_7C15
        // FNV-1a over words, then the last step of MurmurHash3.
        for place in start..<start + classes {
          hash = (hash ^ UInt64(logits[place].bitPattern)) &* 0x100_0000_01B3
        }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        total &+= hash ^ hash >> 33
      }
    }
    return total
  }
}
