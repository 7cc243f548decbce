import Foundation
import TestSupport
import Testing

/// `bench training` and `bench operations`: what they report.
@Suite(.enabled(if: !isUnderOclgrind)) struct BenchTests {
  @Test func trainingThroughputAndMemoryAreMeasured() throws {
    let report = try temper([
      "bench", "training", "--device", "cpu", "--batch-size", "16", "--method", "pgd", "--steps", "1",
      "--seconds", "0.1", "--threads", "1", "--memory", "--json",
    ]).json()
    #expect((report["images_per_second"] as? Double ?? 0) > 0 && (report["samples"] as? Int ?? 0) >= 3)
    #expect((report["p10"] as? Double ?? 0) <= (report["p90"] as? Double ?? 0))
    #expect((report["peak_memory_bytes"] as? Int ?? 0) > 1 << 20)
    let memory = try #require(report["memory"] as? [String: Any])
    let (peak, held) = (memory["peak_buffer_bytes"] as? Int ?? 0, memory["held_buffer_bytes"] as? Int ?? 0)
    #expect(peak > 16 * 26 * 26 * 32 * 4 && held >= peak)
    #expect(memory["allocations_after_warm_up"] as? Int == 0)
    try expectFailure(64, ["--batch-size"], ["bench", "training", "--batch-size", "0"])
  }

  @Test(arguments: [("fp32", 1e-8...5e-6), ("bf16", 1e-4...1e-2)])
  func convolutionsAreComparedWithFloat64(precision: String, bounds: ClosedRange<Double>) throws {
    let report = try temper([
      "bench", "operations", "--device", "cpu", "--filter", "128x64x10", "--seconds", "0", "--accuracy",
      "--precision", precision, "--json",
    ]).json()
    let operations = try #require(report["operations"] as? [[String: Any]])
    #expect(operations.count == 3)
    for operation in operations {
      let error = operation["relative_error"] as? Double ?? -1
      #expect(bounds.contains(error), "\(operation["name"] ?? ""): \(error)")
    }
  }

  @Test func operationsAreChosenByNameAndExtent() throws {
    let bench = ["bench", "operations", "--device", "cpu", "--seconds", "0"]
    let report = try temper(
      bench + ["--filter", "matmul", "--filter", "relu", "--products", "32", "65", "--json"]
    )
    .json()
    let names = (report["operations"] as? [[String: Any]])?.map { $0["name"] as? String }
    #expect(names == ["matmul 32", "matmul 65", "relu"])
    try expectFailure(64, ["--products"], bench + ["--products", "0"])
    let none = try temper(bench + ["--filter", "matmull"])
    #expect(none.code == 0 && none.output.isEmpty && none.messages.contains("contains \"matmull\""))
  }

  @Test func unknownAlgorithmsAreReported() throws {
    let arguments = [
      "bench", "operations", "--device", "cpu", "--filter", "conv forward 128x64x10", "--seconds", "0",
    ]
    let wrong = try temper(arguments, environment: ["TEMPER_CONVOLUTION": "fast"])
    #expect(wrong.code == 0)
    #expect(wrong.messages.contains("TEMPER_CONVOLUTION") && wrong.messages.contains("winograd"))
    #expect(try !temper(arguments).messages.contains("TEMPER_CONVOLUTION"))
  }
}
