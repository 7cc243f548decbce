import Devices
import FileFormats
import Foundation
import Testing

/// Whether the tests run under Oclgrind, which interprets kernels and needs small shapes.
package let isUnderOclgrind = ProcessInfo.processInfo.environment["TEMPER_OCLGRIND"] == "1"

/// Every device that operations are tested on: the CPU at each instruction set it has, and each OpenCL device
/// with both shapes of kernels, those for CPU runtimes with other widths of vectors, too. Under Oclgrind only OpenCL, with
/// the native width.
package let devicesUnderTest: [Device] = {
  let cpus = CPU.availableInstructionSets.map { set in
    Device.cpu(try! CPU(threads: 2, instructionSet: set))
  }
  let openCLs = OpenCLDeviceInfo.all.flatMap { info in
    let narrower = isUnderOclgrind ? [] : [4, 8].filter { $0 < info.vectorWidth }
    return OpenCL.KernelShape.allCases.map { Device.openCL(try! OpenCL(info, kernelShape: $0)) }
      + narrower.map { .openCL(try! OpenCL(info, kernelShape: .cpu, vectorWidth: $0)) }
  }
  if openCLs.isEmpty { print("SKIPPED: OpenCL devices: \(OpenCLDeviceInfo.absenceReason ?? "none")") }
  if isUnderOclgrind { for case .openCL(let device) in openCLs { device.keepsFreeMemory = false } }
  let devices = isUnderOclgrind ? openCLs : cpus + openCLs
  for device in devices { print("TESTED: \(device)") }
  return devices
}()

extension Device: CustomTestStringConvertible {
  /// Shown by the test runner.
  public var testDescription: String { description }
}
