import ArgumentParser
import Devices

/// Where a command runs.
struct DeviceOptions: ParsableArguments {
  @Option(
    name: .customLong("device"),
    help: ArgumentHelp("auto, cpu, opencl, opencl:N, or a part of a device's name.", valueName: "device"))
  var name = "auto"

  @Flag(help: "Fail with exit code 69 instead of running on something else than a GPU.")
  var requireGPU = false

  @Option(help: "Threads of the CPU path (default: every core).")
  var threads: Int?

  /// The device, after saying once which it is and why.
  func open() throws -> Device {
    if let threads, name.lowercased() == "cpu" || name.lowercased() == "auto" {
      let choice = try DeviceChoice(name, requireGPU: requireGPU)
      if case .cpu(let cpu) = choice.device {
        let device = Device.cpu(try CPU(threads: threads, instructionSet: cpu.instructionSet))
        Console.note("device: \(device), \(threads) threads (\(choice.reason))")
        return device
      }
    }
    let choice = try DeviceChoice(name, requireGPU: requireGPU)
    Console.note("device: \(choice.device) (\(choice.reason))")
    return choice.device
  }
}
