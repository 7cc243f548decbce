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

  @Option(
    help:
      "Operands of products and convolutions, whose sums stay float32: fp32, bf16, or tf32 (tensor cores only)."
  )
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
      progress: { $0 < $1 ? progress.report("checking the kernels of \(name)", $0, of: $1) : progress.end() },
      warn: { Console.note("warning: \($0)") })
    if device.precision != precision {
      Console.note("warning: --precision \(precision.rawValue) is given up: operands stay float32")
    }
  }

  private func choose() throws -> Device {
    let choice = try DeviceChoice(name, requireGPU: requireGPU)
    var device = choice.device
    var note = ""
    switch choice.device {
    case .openCL(let openCL): try openCL.setPrecision(precision)
    case .cpu(let cpu) where threads != nil || precision != .fp32:
      let threads = threads ?? cpu.threads
      device = .cpu(try CPU(threads: threads, instructionSet: cpu.instructionSet, precision: precision))
      note = ", \(threads) threads"
    case .cpu: break
    }
    Console.note("device: \(device)\(note) (\(choice.reason))")
    return device
  }
}

extension Precision: ExpressibleByArgument {}
