import FileFormats
import Foundation
import Logits
import Testing

@Suite struct LogitComparisonTests {
  /// Every number of two JSON objects with the same keys.
  private func expectClose(_ a: Any, _ b: Any, _ path: String) throws {
    if let a = a as? [String: Any] {
      let b = try #require(b as? [String: Any], "\(path)")
      #expect(Set(a.keys) == Set(b.keys), "\(path)")
      for (key, value) in a { try expectClose(value, try #require(b[key]), path + "." + key) }
    } else if let a = a as? String {
      #expect(a == b as? String, "\(path)")
    } else {
      let (x, y) = try (#require(a as? Double), #require(b as? Double))
      // Sums of 41 numbers below 10 in Double, in another order.
      #expect(abs(x - y) < 1e-12, "\(path): \(x), \(y)")
    }
  }

  /// The fixture's figures come from numpy, from their definitions; its robust table is in another order.
  @Test func agreesWithNumPy() throws {
    let comparison = try LogitComparison(
      standard: LogitTable(contentsOf: fixture("standard.safetensors")),
      robust: LogitTable(contentsOf: fixture("robust.safetensors")))
    let json = try JSONSerialization.jsonObject(with: Data(comparison.json().utf8))
    let expected = try InputFile.read(fixture("numpy_comparison.json"))
    try expectClose(JSONSerialization.jsonObject(with: Data(expected)), json, "")
    #expect(try JSONDecoder().decode(LogitComparison.self, from: Data(comparison.json().utf8)) == comparison)
  }

  @Test func oneTableMayLackLabels() throws {
    let table = try randomTable(samples: 20, classes: 3)
    let bare = try LogitTable(logits: table.logits.map { $0 / 2 }, classCount: 3)
    let comparison = try LogitComparison(standard: table, robust: bare)
    #expect(comparison.all.standardAccuracy == comparison.all.robustAccuracy)
    #expect(comparison.jointlyCorrect?.standardAccuracy == 1)
    #expect(comparison.all.measures[.logitGap]?.shareRobustLower == 1)
    let unlabelled = try LogitComparison(standard: bare, robust: bare)
    #expect(unlabelled.jointlyCorrect == nil)
    #expect(unlabelled.all.measures[.margin] == nil)
    #expect(abs((unlabelled.all.confidenceRankCorrelation ?? 0) - 1) < 1e-12)
  }

  @Test func noJointlyCorrectSample() throws {
    let standard = try LogitTable(logits: [1, 0, 1, 0], classCount: 2, labels: [0, 0])
    let robust = try LogitTable(logits: [0, 1, 0, 1], classCount: 2, labels: [0, 0])
    let comparison = try LogitComparison(standard: standard, robust: robust)
    #expect(comparison.jointlyCorrect == nil)
    // All confidences are equal, so there is no correlation.
    #expect(comparison.all.confidenceRankCorrelation == nil)
    #expect(comparison.all.measures[.margin]?.meanDifference == -2)
  }

  @Test func refusesDifferentSamples() throws {
    let table = try LogitTable(logits: [1, 0, 1, 0], classCount: 2, labels: [0, 1], sampleIDs: [4, 5])
    let others = [
      (try LogitTable(logits: [1, 0, 1, 0], classCount: 2, labels: [0, 1]), "lacks 4"),
      (try LogitTable(logits: [1, 0, 1, 0], classCount: 2, labels: [0, 1], sampleIDs: [4, 6]), "lacks 5"),
      (
        try LogitTable(logits: [1, 0, 1, 0], classCount: 2, labels: [0, 1], sampleIDs: [5, 4]), "sample id 4"
      ),
      (try LogitTable(logits: [1, 0], classCount: 2, labels: [0], sampleIDs: [4]), "2 (standard) and 1"),
      (
        try LogitTable(logits: [1, 0, 1, 0, 1, 1], classCount: 3, labels: [0, 1], sampleIDs: [4, 5]),
        "classes"
      ),
    ]
    for (other, words) in others {
      let error = #expect(throws: TemperError.self) { try LogitComparison(standard: table, robust: other) }
      #expect(error?.kind == .badData)
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
  }
}
