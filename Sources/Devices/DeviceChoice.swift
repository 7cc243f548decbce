import FileFormats

/// The device that a name such as `auto`, `cpu`, `opencl`, `opencl:1` or part of a device's name stands for.
public struct DeviceChoice: Sendable {
  /// The chosen device.
  public let device: Device
  /// Why this one, in a phrase to print once.
  public let reason: String

  /// Chooses a device.
  ///
  /// `auto` is the best OpenCL GPU and else the CPU. OpenCL runtimes for CPUs, such as PoCL, are slower than
  /// the SIMD path and are taken by name only.
  /// - Throws: `.deviceUnavailable` if there is no such device, or if `requireGPU` and it is not a GPU;
  ///   `.usage` for an index that is no number.
  public init(_ name: String = "auto", requireGPU: Bool = false) throws {
    let devices = OpenCLDeviceInfo.all
    let lower = name.lowercased()
    if lower == "auto" {
      (device, reason) = try Self.automatic(devices)
    } else if lower == "cpu" {
      (device, reason) = (.cpu(.shared), "asked for by name")
    } else {
      let info = try Self.named(lower, devices)
      (device, reason) = (.openCL(try .shared(info)), "asked for by name")
    }
    if requireGPU, !device.isGPU {
      throw TemperError(
        .deviceUnavailable, field: "--require-gpu", "no GPU: \"\(name)\" is \(device) (\(reason))",
        remedy: "Install the GPU's OpenCL driver, see `temper devices`, or drop --require-gpu.")
    }
  }

  /// The best GPU of a list: the most compute units times clock frequency.
  static func bestGPU(_ devices: [OpenCLDeviceInfo]) -> OpenCLDeviceInfo? {
    devices.filter { $0.kind == .gpu }
      .max { $0.computeUnits * $0.clockFrequency < $1.computeUnits * $1.clockFrequency }
  }

  private static func automatic(_ devices: [OpenCLDeviceInfo]) throws -> (Device, String) {
    if let best = bestGPU(devices) {
      return (.openCL(try .shared(best)), "the fastest OpenCL GPU by compute units times clock")
    }
    let why = OpenCLDeviceInfo.absenceReason ?? "no OpenCL device here is a GPU"
    return (.cpu(.shared), why)
  }

  private static func named(_ name: String, _ devices: [OpenCLDeviceInfo]) throws -> OpenCLDeviceInfo {
    let list = "Devices here: cpu\(devices.map { ", opencl:\($0.index) (\($0.name))" }.joined())."
    if let reason = OpenCLDeviceInfo.absenceReason {
      throw TemperError(.deviceUnavailable, field: "--device \(name)", reason, remedy: list)
    }
    if name == "opencl" { return bestGPU(devices) ?? devices[0] }
    if name.hasPrefix("opencl:") {
      guard let index = Int(name.dropFirst("opencl:".count)) else {
        throw TemperError(.usage, field: "--device \(name)", "has no number after the colon", remedy: list)
      }
      guard devices.indices.contains(index) else {
        throw TemperError(.deviceUnavailable, field: "--device \(name)", "does not exist", remedy: list)
      }
      return devices[index]
    }
    let matches = devices.filter {
      "\($0.name) \($0.vendor) \($0.platform)".lowercased().contains(name)
    }
    guard let match = matches.first else {
      throw TemperError(.deviceUnavailable, field: "--device \(name)", "no such device", remedy: list)
    }
    return match
  }
}

extension Device {
  /// Whether this is a GPU, whatever its vendor.
  public var isGPU: Bool {
    if case .openCL(let device) = self { return device.info.kind == .gpu }
    return false
  }
}
