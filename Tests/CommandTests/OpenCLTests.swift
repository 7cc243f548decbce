import Devices
import FileFormats
import Foundation
import TestSupport
import Testing

/// The commands on an OpenCL device: first use, faults, profiles.
@Suite(
  .serialized,
  .enabled(if: !OpenCLDeviceInfo.all.isEmpty && !isUnderOclgrind, "SKIPPED: commands on OpenCL: no device"))
struct OpenCLCommandTests {
  /// A short run on the OpenCL device; 4 batches an epoch and 3 epochs.
  private func training(_ data: String, _ out: String, _ more: [String] = []) -> [String] {
    CommandTests.training(
      data, out, ["--device", "opencl:0", "--epochs", "3", "--limit", "400", "--batch-size", "100"] + more)
  }

  private func run(
    _ arguments: [String], fault: String? = nil, cache: String = ""
  ) throws -> Outcome {
    var environment = ["TEMPER_CACHE_DIR": cache]
    if let fault { environment["TEMPER_OPENCL_FAULT"] = fault }
    return try temper(arguments, environment: environment)
  }

  /// A device that is lost in the second epoch: the first epoch's checkpoint stays and the same command ends where
  /// an uninterrupted run does.
  @Test(arguments: ["launch:sgd_step:6", "event:sgd_step:6"])
  func trainingSurvivesALostDevice(fault: String) throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      #expect(try run(training(folder, folder + "/whole")).code == 0)
      let parts = folder + "/parts"
      let lost = try run(training(folder, parts), fault: fault)
      #expect(lost.code == 69, "\(lost.messages)")
      for word in ["CL_DEVICE_NOT_AVAILABLE", parts + "/checkpoint.safetensors is kept", "the same command"] {
        #expect(lost.messages.contains(word), "\(word): \(lost.messages)")
      }
      #expect(try files(parts).contains("checkpoint.safetensors"))
      let resumed = try run(training(folder, parts))
      #expect(resumed.code == 0 && !resumed.messages.contains("epoch 1/3"), "\(resumed.messages)")
      #expect(try weights(parts + "/last.safetensors") == weights(folder + "/whole/last.safetensors"))
    }
  }

  /// Without tensor cores rounded operands are refused, and nothing is written.
  @Test(arguments: [("opencl:0", "tf32"), ("opencl:0", "bf16"), ("cpu", "tf32")])
  func precisionsThatADeviceLacksAreRefused(device: String, precision: String) throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let options = ["--device", device, "--precision", precision]
      let refused = try run(CommandTests.training(folder, folder + "/run", options))
      #expect(refused.code == 64, "\(refused.messages)")
      for word in ["--precision \(precision)", "is not available on", "Choose --precision fp32"] {
        #expect(refused.messages.contains(word), "\(word): \(refused.messages)")
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
    }
  }

  @Test func aDeviceLostInTheFirstEpochLosesNothingElse() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let lost = try run(training(folder, folder + "/run"), fault: "launch:sgd_step:2")
      #expect(lost.code == 69 && lost.messages.contains("starts anew"), "\(lost.messages)")
      #expect(try run(training(folder, folder + "/run")).code == 0)
    }
  }

  /// Memory that runs out in the first step and later.
  @Test func memoryThatRunsOutNamesABatch() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let out = folder + "/run"
      // The number of blocks that the run needs is found by bisection: with fewer the run fails.
      var (enough, tooFew) = (4096, 1)
      while enough - tooFew > 1 {
        let middle = (enough + tooFew) / 2
        let outcome = try run(
          [
            "bench", "training", "--device", "opencl:0", "--model", "mlp", "--batch-size", "100", "--seconds",
            "0",
          ],
          fault: "allocation:\(middle)")
        if outcome.code == 0 { enough = middle } else { tooFew = middle }
      }
      let bench = try run(
        [
          "bench", "training", "--device", "opencl:0", "--model", "mlp", "--batch-size", "100", "--seconds",
          "0",
        ],
        fault: "allocation:\(tooFew)")
      #expect(bench.code == 69)
      for word in ["in use", "blocks of at most", "of 100 images at most about"] {
        #expect(bench.messages.contains(word), "\(word): \(bench.messages)")
      }
      let trained = try run(training(folder, out), fault: "allocation:\(tooFew)")
      #expect(trained.code == 69 && trained.messages.contains("--batch-size"), "\(trained.messages)")
      #expect(try run(training(folder, out)).code == 0)
    }
  }

  @Test func brokenBuildsAndWrongKernelsAreReported() throws {
    try withTemporaryFolder { folder in
      let bench = ["bench", "training", "--device", "opencl:0", "--model", "mlp", "--seconds", "0"]
      let broken = try run(bench, fault: "build:elementwise", cache: folder)
      #expect(broken.code == 69 && broken.messages.contains("elementwise.cl"), "\(broken.messages)")
      #expect(broken.messages.contains(folder + "/build-elementwise.log"), "\(broken.messages)")
      #expect(FileManager.default.fileExists(atPath: folder + "/build-elementwise.log"))
      let device = OpenCLDeviceInfo.all[0].kind == .cpu ? "cpu" : "gpu"
      let wrong = try run(bench, fault: "wrong:matmul_\(device)", cache: folder + "/other")
      #expect(wrong.code == 0 && wrong.messages.contains("computes wrong results"), "\(wrong.messages)")
      #expect(wrong.output.contains("images/s"))
      try expectFailure(64, ["TEMPER_OPENCL_FAULT", "wrong:KERNEL"], bench, shell: "TEMPER_OPENCL_FAULT=x")
    }
  }

  /// Two first uses at once share an empty cache.
  @Test func processesShareTheCache() throws {
    try withTemporaryFolder { folder in
      let outcomes = Outcomes()
      let bench = ["bench", "training", "--device", "opencl:0", "--model", "mlp", "--seconds", "0"]
      DispatchQueue.concurrentPerform(iterations: 2) { _ in
        outcomes.add(try? run(bench, cache: folder + "/cache"))
      }
      #expect(outcomes.codes == [0, 0])
      let entries = try files(folder + "/cache")
      // Two programs and what the checks found.
      #expect(entries.count >= 3 && entries.allSatisfy { $0.hasSuffix(".clbin") }, "\(entries)")
      #expect(try run(bench, cache: folder + "/cache").code == 0)
      #expect(try files(folder + "/cache") == entries)
    }
  }

  @Test(arguments: ["opencl:0", "cpu"])
  func profilesTellWhereTheTimeWent(device: String) throws {
    try withTemporaryFolder { folder in
      let bench = ["bench", "training", "--device", device, "--model", "mlp", "--seconds", "0", "--json"]
      let plain = try temper(bench)
      #expect(plain.code == 0 && !plain.messages.contains("total ms"))
      let table = try temper(bench + ["--profile"])
      #expect(table.code == 0 && table.messages.contains("total ms"))
      #expect(try table.json().count > 5)
      #expect(table.messages.contains(device == "cpu" ? "MatMul" : "sgd_step"), "\(table.messages)")
      let trace = folder + "/trace.json"
      #expect(try temper(bench + ["--profile", trace]).code == 0)
      let events = try JSONSerialization.jsonObject(with: Data(try InputFile.read(trace))) as? [[String: Any]]
      #expect((events?.count ?? 0) > 50)
      try expectFailure(64, ["--profile", ".json"], bench + ["--profile", folder])
    }
  }
}

/// Outcomes of commands that ran at once.
private final class Outcomes: @unchecked Sendable {
  private let lock = NSLock()
  private var all: [Int32] = []
  var codes: [Int32] { lock.withLock { all } }
  func add(_ outcome: Outcome?) { lock.withLock { all.append(outcome?.code ?? -1) } }
}
