import TestSupport
import Testing

@Suite(.enabled(if: !isUnderOclgrind)) struct TheoryCommandTests {
  private func rows(_ report: [String: Any], _ name: String) throws -> [[String: Double]] {
    try #require(report[name] as? [[String: Double]])
  }

  @Test func figuresAreComputedFromTheOptions() throws {
    let report = try temper(["theory", "--json", "--epsilon", "0, 0.3", "--samples", "2000"]).json()
    #expect(report["samples"] as? Int == 2000)
    let logistic = try rows(report, "logistic")
    #expect(logistic.map { $0["epsilon"] } == [0, 0.3])
    let gaps = logistic.compactMap { $0["mean_gap"] }
    #expect(gaps.count == 2 && gaps[1] < gaps[0] / 2)
    for row in logistic {
      let (loss, entropy) = (try #require(row["adversarial_loss"]), try #require(row["adversarial_entropy"]))
      #expect(abs(loss - entropy) < 1e-8)
    }
    let separable = try rows(report, "separable").compactMap { $0["mean_gap"] }
    #expect(separable.count == 3 && separable == separable.sorted())
    let scales = try rows(report, "outliers").compactMap { $0["best_scale"] }
    #expect(scales.count == 5 && scales == scales.sorted())
    #expect(try rows(report, "entropy_caps").count == 8)
    let other = try temper(["theory", "--json", "--epsilon", "0", "--samples", "2000", "--seed", "1"]).json()
    #expect(try rows(other, "logistic")[0]["mean_gap"] != gaps[0], "the seed matters")
  }

  @Test func tablesAreAligned() throws {
    let outcome = try temper(["theory", "--samples", "1000", "--epsilon", "0.1"])
    #expect(outcome.code == 0 && outcome.messages.isEmpty)
    let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
    for (start, columns, count) in [("(a)", 7, 2), ("(b)", 2, 4), ("(c)", 4, 6), ("(d)", 3, 9)] {
      let title = try #require(lines.firstIndex { $0.hasPrefix(start) })
      let table = lines[title + 1...title + count]
      #expect(Set(table.map(\.count)).count == 1, "\(start)")
      let last = try #require(table.last)
      #expect(last.split(separator: " ").count == columns, "\(start)")
    }
    #expect(lines.allSatisfy { $0.count <= 110 })
  }

  @Test func wrongOptionsAreUsageErrors() throws {
    for list in ["-0.1", "0.1,", "", "0.1;0.2", "nan", "inf", "ten"] {
      try expectFailure(64, ["--epsilon"], ["theory", "--epsilon", list])
    }
    try expectFailure(64, ["--samples", "999"], ["theory", "--samples", "999"])
    try expectFailure(64, ["--samples"], ["theory", "--samples", "-5"])
    try expectFailure(64, ["--seed"], ["theory", "--seed", "x"])
  }
}
