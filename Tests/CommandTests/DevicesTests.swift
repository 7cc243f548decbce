import Devices
import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: !isUnderOclgrind)) struct DevicesCommandTests {
  @Test func everyDeviceIsListed() throws {
    let report = try temper(["devices", "--json"]).json()
    let cpu = try #require(report["cpu"] as? [String: Any])
    #expect(cpu["instruction_set"] as? String == CPU.availableInstructionSets.last!.rawValue)
    #expect((cpu["threads"] as? Int ?? 0) >= 1 && (cpu["memory_bytes"] as? Int ?? 0) > 1 << 20)
    let openCL = try #require(report["opencl"] as? [[String: Any]])
    #expect(openCL.count == OpenCLDeviceInfo.all.count)
    for (device, info) in zip(openCL, OpenCLDeviceInfo.all) {
      for key in ["name", "vendor", "driver", "version"] {
        #expect((device[key] as? String)?.isEmpty == false, "\(key) of \(info.name)")
      }
      #expect((device["compute_units"] as? Int ?? 0) >= 1 && (device["global_memory_bytes"] as? Int ?? 0) > 0)
    }
    #expect((report["auto"] as? String)?.isEmpty == false && (report["reason"] as? String)?.isEmpty == false)
    let text = try temper(["devices"]).output
    #expect(text.hasPrefix("cpu ") && text.contains("\nauto "))
    for info in OpenCLDeviceInfo.all { #expect(text.contains(info.name)) }
  }

  @Test func aNameIsResolved() throws {
    let named = try temper(["devices", "--device", "cpu", "--json"]).json()["named"] as? String
    #expect(named?.hasPrefix("cpu ") == true)
    #expect(try temper(["devices", "--json"]).json()["named"] == nil)
    try expectFailure(69, ["--require-gpu"], ["devices", "--device", "cpu", "--require-gpu"])
    try expectFailure(69, ["nonesuch"], ["devices", "--device", "nonesuch"])
  }

  @Test func instructionSetsCanBeForced() throws {
    for set in CPU.availableInstructionSets {
      let report = try temper(["devices", "--json"], environment: ["TEMPER_CPU": set.rawValue]).json()
      #expect((report["cpu"] as? [String: Any])?["instruction_set"] as? String == set.rawValue)
    }
    let outcome = try temper(["devices"], environment: ["TEMPER_CPU": "sse9"])
    #expect(outcome.code == 0 && outcome.messages.contains("sse9") && outcome.messages.contains("avx2"))
  }

  /// No OpenCL library, or one without drivers: the CPU does everything and the report says why.
  @Test(arguments: [
    ("TEMPER_LIBOPENCL", "no OpenCL library could be opened"),
    ("OCL_ICD_VENDORS", "offers no device"),
  ])
  func withoutOpenCLTheCPURemains(variable: String, reason: String) throws {
    try withTemporaryFolder { folder in
      let environment = [variable: folder + (variable == "OCL_ICD_VENDORS" ? "" : "/libOpenCL.so")]
      let report = try temper(["devices", "--json"], environment: environment).json()
      #expect((report["opencl"] as? [Any])?.count == 0)
      #expect((report["opencl_absence"] as? String)?.contains(reason) == true)
      #expect((report["auto"] as? String)?.hasPrefix("cpu ") == true)
      let required = try temper(["devices", "--require-gpu"], environment: environment)
      #expect(required.code == 69 && required.messages.contains(reason))
      let named = try temper(["verify", "--device", "opencl"], environment: environment)
      #expect(named.code == 69 && named.messages.contains("--device opencl"))
      #expect(try temper(["verify", "--steps", "1"], environment: environment).code == 0)
    }
  }

  @Test func unknownDevicesAreNamed() throws {
    let verify = ["verify", "--steps", "1"]
    try expectFailure(69, ["nonesuch", "cpu"], verify + ["--device", "nonesuch"])
    guard !OpenCLDeviceInfo.all.isEmpty else { return }
    try expectFailure(69, ["opencl:99", "opencl:0"], verify + ["--device", "opencl:99"])
    try expectFailure(64, ["opencl:x"], verify + ["--device", "opencl:x"])
  }

  /// The same seed on the CPU and on an OpenCL device.
  @Test(
    .enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: verify: no OpenCL device"),
    arguments: ["gpu", "cpu"])
  func verifyPasses(shape: String) throws {
    let outcome = try temper(
      ["verify", "--device", "opencl", "--steps", "2", "--batch-size", "16", "--json"],
      environment: ["TEMPER_OPENCL_SHAPE": shape])
    let report = try outcome.json()
    #expect(outcome.code == 0 && report["passed"] as? Bool == true)
    for key in ["identical_initial_weights", "identical_images", "identical_attack_starts"] {
      #expect(report[key] as? Bool == true, "\(key)")
    }
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    #expect(tensors.count == 14 && tensors.contains { ($0["drift"] as? Double ?? 0) > 0 })
  }

  /// A tolerance below float rounding cannot be met: the verdict is not a constant.
  @Test(.enabled(if: !OpenCLDeviceInfo.all.isEmpty, "SKIPPED: verify: no OpenCL device"))
  func verifyFailsBeyondTheTolerance() throws {
    let outcome = try temper([
      "verify", "--device", "opencl", "--steps", "1", "--batch-size", "8", "--tolerance", "1e-12",
    ])
    #expect(outcome.code == 1 && outcome.output.contains("FAILED"))
  }
}
