import ArgumentParser
import Devices
import FileFormats
import Tensors

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

  @Option(help: "Operands of products and convolutions: fp32, or bf16 (CPU path; sums stay float32).")
  var precision = Precision.fp32

  @Option(
    defaultAsFlag: "",
    help: ArgumentHelp(
      "Print where the time went; with a file ending in .json also write a trace for Perfetto.",
      valueName: "trace"))
  var profile: String?

  /// The device, ready for work, after saying once which it is and why. With OpenCL what its kernels need is compiled
  /// ahead, and they are checked once per driver.
  func open() throws -> Device {
    if let profile, !profile.isEmpty, !profile.hasSuffix(".json") {
      throw TemperError(
        .usage, field: "--profile \(profile)", "does not end in .json",
        remedy: "Name a .json file, or put --profile last.")
    }
    let device = try choose()
    if let profile { try ProfileOutput.start(device, trace: profile.isEmpty ? nil : profile) }
    if case .openCL(let openCL) = device { try prepare(openCL) }
    return device
  }

  private func prepare(_ device: OpenCL) throws {
    let progress = PreparationProgress()
    defer { progress.end() }
    let name = device.info.name
    device.compileAhead(device.programsAhead) {
      progress.report("compiling \($1) OpenCL programs for \(name)", $0, of: $1)
    }
    try device.checkKernels(
      progress: { progress.report("checking the kernels of \(name)", $0, of: $1) },
      warn: { Console.note("warning: \($0)") })
  }

  private func choose() throws -> Device {
    let choice = try DeviceChoice(name, requireGPU: requireGPU)
    guard case .cpu(let cpu) = choice.device else {
      if precision != .fp32 {
        throw TemperError(
          .usage, field: "--precision \(precision.rawValue)", "is not available on \(choice.device)",
          remedy: "Choose --precision fp32 or --device cpu.")
      }
      Console.note("device: \(choice.device) (\(choice.reason))")
      return choice.device
    }
    guard threads != nil || precision != .fp32 else {
      Console.note("device: \(choice.device) (\(choice.reason))")
      return choice.device
    }
    let device = Device.cpu(
      try CPU(threads: threads ?? cpu.threads, instructionSet: cpu.instructionSet, precision: precision))
    Console.note("device: \(device), \(threads ?? cpu.threads) threads (\(choice.reason))")
    return device
  }
}

extension Precision: ExpressibleByArgument {}
