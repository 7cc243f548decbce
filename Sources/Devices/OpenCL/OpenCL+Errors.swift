import COpenCL
import FileFormats

extension OpenCL {
  /// Throws a ``TemperError`` for any status but success.
  package static func check(_ status: cl_int, _ call: String) throws {
    guard status != CL_SUCCESS else { return }
    throw TemperError(
      .deviceUnavailable, field: call, "failed with \(name(of: status))", remedy: hint(status))
  }

  /// What a status usually means where it does not speak for itself.
  private static func hint(_ status: cl_int) -> String? {
    switch status {
    case CL_OUT_OF_RESOURCES, -9999:
      "On NVIDIA this usually means that a kernel accessed memory out of bounds: please report it."
    case CL_DEVICE_NOT_AVAILABLE, CL_INVALID_COMMAND_QUEUE:
      "The device was lost, by a fault of its driver or by being reset: its state cannot be read any more."
    default: nil
    }
  }

  /// The constant's name behind an OpenCL status.
  static func name(of status: cl_int) -> String {
    names[status].map { "\($0) (\(status))" } ?? "error \(status)"
  }

  private static let names: [cl_int: String] = [
    -1: "CL_DEVICE_NOT_FOUND", -2: "CL_DEVICE_NOT_AVAILABLE", -3: "CL_COMPILER_NOT_AVAILABLE",
    -4: "CL_MEM_OBJECT_ALLOCATION_FAILURE", -5: "CL_OUT_OF_RESOURCES", -6: "CL_OUT_OF_HOST_MEMORY",
    -11: "CL_BUILD_PROGRAM_FAILURE", -13: "CL_MISALIGNED_SUB_BUFFER_OFFSET",
    -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", -30: "CL_INVALID_VALUE",
    -36: "CL_INVALID_COMMAND_QUEUE", -38: "CL_INVALID_MEM_OBJECT", -42: "CL_INVALID_BINARY",
    -45: "CL_INVALID_PROGRAM_EXECUTABLE", -46: "CL_INVALID_KERNEL_NAME", -48: "CL_INVALID_KERNEL",
    -49: "CL_INVALID_ARG_INDEX", -50: "CL_INVALID_ARG_VALUE", -51: "CL_INVALID_ARG_SIZE",
    -52: "CL_INVALID_KERNEL_ARGS", -53: "CL_INVALID_WORK_DIMENSION", -54: "CL_INVALID_WORK_GROUP_SIZE",
    -55: "CL_INVALID_WORK_ITEM_SIZE", -61: "CL_INVALID_BUFFER_SIZE", -63: "CL_INVALID_GLOBAL_WORK_SIZE",
    -1001: "CL_PLATFORM_NOT_FOUND_KHR", -9999: "an illegal access (NVIDIA)",
  ]
}
