import FileFormats
import Statistics

extension LogitTable {
  /// The number of samples of so many logits.
  static func sampleCount(_ logitCount: Int, _ classCount: Int, _ file: String?) throws -> Int {
    guard classCount >= 2 else {
      throw fault(file, "logits", "have \(classCount) classes; at least 2 are needed.")
    }
    guard logitCount > 0, logitCount.isMultiple(of: classCount) else {
      throw fault(file, "logits", "are \(logitCount) numbers, which make no rows of \(classCount) classes.")
    }
    return logitCount / classCount
  }

  /// Refuses logits that are not finite. The first of them is one of row `firstRow`.
  static func check(
    logits: some RandomAccessCollection<Float>, classCount: Int, firstRow: Int = 0, file: String?
  ) throws {
    guard let index = logits.firstIndex(where: { !$0.isFinite }) else { return }
    let place = logits.distance(from: logits.startIndex, to: index)
    throw fault(
      file, "logits",
      "row \(firstRow + place / classCount), class \(place % classCount) is \(logits[index]).",
      "The network diverged or the file is damaged.")
  }

  /// Refuses labels that are not one class per sample.
  static func check(labels: [Int32], _ count: Int, _ classCount: Int, _ file: String?) throws {
    guard labels.count == count else {
      throw fault(file, "labels", "are \(labels.count) for \(count) samples.")
    }
    if let row = labels.firstIndex(where: { !(0..<classCount ~= Int($0)) }) {
      throw fault(file, "labels", "row \(row) is \(labels[row]); classes are 0 to \(classCount - 1).")
    }
  }

  /// Refuses ids that are not one of its own per sample.
  static func check(sampleIDs: [Int64], _ count: Int, _ file: String?) throws {
    guard sampleIDs.count == count else {
      throw fault(file, "sample_ids", "are \(sampleIDs.count) for \(count) samples.")
    }
    let (ids, rows) = sorted(sampleIDs)
    let repeated = ids.indices.dropFirst().lazy.filter { ids[$0] == ids[$0 - 1] }.map { rows[$0] }.min()
    if let row = repeated.map({ Int($0) }) {
      throw fault(file, "sample_ids", "row \(row) repeats the id \(sampleIDs[row]).")
    }
  }

  /// Refuses norms that are not one number from 0 on per sample.
  static func check(norms: [Float], _ count: Int, _ file: String?) throws {
    guard norms.count == count else {
      throw fault(file, "gap_gradient_norms", "are \(norms.count) for \(count) samples.")
    }
    if let row = norms.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
      throw fault(file, "gap_gradient_norms", "row \(row) is \(norms[row]).")
    }
  }

  private static func fault(
    _ file: String?, _ field: String, _ message: String, _ remedy: String? = nil
  ) -> TemperError {
    TemperError(.badData, file: file, field: field, message, remedy: remedy)
  }
}
