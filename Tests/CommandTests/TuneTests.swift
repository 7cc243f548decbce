import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

/// `tune` with the kernels for GPUs on whatever OpenCL device there is, in a cache folder of its own.
@Suite(.enabled(if: !OpenCLDeviceInfo.all.isEmpty && !isUnderOclgrind, "SKIPPED: tuning: no OpenCL device"))
struct TuneTests {
  private let arguments = [
    "tune", "--quick", "--model", "mlp", "--batch-size", "2", "--device", "opencl:0", "--json", "--seconds",
  ]

  private func environment(_ folder: String) -> [String: String] {
    ["TEMPER_OPENCL_SHAPE": "gpu", "TEMPER_CACHE_DIR": folder]
  }

  private func tuningFiles(_ folder: String) throws -> [String] {
    try files(folder).filter { $0.hasPrefix("tuning-") }
  }

  @Test func resultsAreKeptAndDamageIsReported() throws {
    try withTemporaryFolder { folder in
      let report = try temper(arguments + ["1"], environment: environment(folder)).json()
      let cases = try #require(report["cases"] as? [[String: Any]])
      #expect(cases.count >= 1)
      for one in cases {
        let (time, shipped) = (one["milliseconds"] as? Double, one["shipped_milliseconds"] as? Double)
        #expect(time ?? 1 <= shipped ?? 0 && time ?? 0 > 0)
        #expect(one["wrong"] as? Int == 0 && one["failed"] as? Int == 0)
      }
      let file = folder + "/" + (try #require(tuningFiles(folder).first))
      #expect(report["file"] as? String == file)
      try AtomicFile.write("{", to: file)
      let bench = [
        "bench", "operations", "--device", "opencl:0", "--filter", "matmul 512", "--seconds", "0",
      ]
      let outcome = try temper(bench, environment: environment(folder))
      #expect(
        outcome.code == 0 && outcome.messages.contains(file) && outcome.messages.contains("temper tune"))
    }
  }

  @Test func interruptedTuningKeepsWhatItHas() throws {
    try withTemporaryFolder { folder in
      let outcome = try temper(
        arguments + ["60"], interruptAfter: "[1/", environment: environment(folder))
      #expect(
        outcome.code == 75 && outcome.messages.contains("The same command goes on"), "\(outcome.messages)")
      #expect(try tuningFiles(folder).count == 1)
    }
  }

  @Test func thereIsNothingToTuneOnCPUs() throws {
    try expectFailure(64, ["--device", "nothing to tune"], ["tune", "--device", "cpu"])
    try expectFailure(64, ["--seconds"], ["tune", "--seconds", "0"])
    let outcome = try temper(
      ["tune", "--device", "opencl:0", "--json"],
      environment: ["TEMPER_OPENCL_SHAPE": "cpu", "TEMPER_CACHE_DIR": ""])
    #expect(try outcome.json()["cases"] as? [String] == [])
    #expect(outcome.messages.contains("nothing to tune"))
  }
}
