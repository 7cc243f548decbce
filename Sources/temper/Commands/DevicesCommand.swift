import ArgumentParser
import Devices
import Foundation

/// `temper devices`
struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "List every device, and say which one --device auto takes and why.",
    discussion: """
      EXAMPLES
        temper devices
        temper devices --json | jq .auto
        temper devices --device opencl:1
      """)

  @Option(name: .customLong("device"), help: "Also say which device this name stands for.")
  var name: String?

  @Flag(help: "Print JSON.") var json = false

  @Flag(help: "Fail with exit code 69 if there is no GPU.") var requireGPU = false

  func run() throws {
    let named = try name.map { try DeviceChoice($0, requireGPU: requireGPU) }
    let choice = try DeviceChoice("auto", requireGPU: requireGPU && name == nil)
    let report = Report(choice, named: named?.device)
    if json { return try Console.json(report) }
    let cpu = report.cpu
    Console.result(
      "cpu       \(cpu.name): \(cpu.instructionSet) kernels, \(cpu.threads) threads, \(gigabytes(cpu.memory))"
    )
    for device in report.openCL {
      let clock = device.clockFrequency > 0 ? " at \(device.clockFrequency) MHz" : ""
      Console.result(
        """
        opencl:\(device.index)  \(device.name): \(device.kind.rawValue), \(device.vendor), \(device.version), driver \
        \(device.driver), \(device.computeUnits) compute units\(clock), \
        \(gigabytes(device.globalMemory)), platform \(device.platform)
        """)
    }
    if let absence = report.openCLAbsence { Console.result("opencl    none: \(absence)") }
    Console.result("auto      \(report.auto): \(report.reason)")
    if let name, let named = report.named { Console.result("\(name): \(named)") }
  }

  private func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GiB", Double(bytes) / 0x1p30) }

  private struct Report: Encodable {
    struct Processor: Encodable {
      let name: String
      let instructionSet: String
      let available: [String]
      let threads: Int
      let memory: Int

      enum CodingKeys: String, CodingKey {
        case name, threads
        case instructionSet = "instruction_set"
        case available = "available_instruction_sets"
        case memory = "memory_bytes"
      }
    }

    let cpu: Processor
    let openCL: [OpenCLDeviceInfo]
    let openCLAbsence: String?
    let auto: String
    let reason: String
    let named: String?

    enum CodingKeys: String, CodingKey {
      case cpu, auto, reason, named
      case openCL = "opencl"
      case openCLAbsence = "opencl_absence"
    }

    init(_ choice: DeviceChoice, named: Device?) {
      let shared = CPU.shared
      cpu = Processor(
        name: CPU.name, instructionSet: shared.instructionSet.rawValue,
        available: CPU.availableInstructionSets.map(\.rawValue), threads: shared.threads,
        memory: Int(clamping: ProcessInfo.processInfo.physicalMemory))
      openCL = OpenCLDeviceInfo.all
      openCLAbsence = OpenCLDeviceInfo.absenceReason
      auto = choice.device.description
      reason = choice.reason
      self.named = named?.description
    }
  }
}
