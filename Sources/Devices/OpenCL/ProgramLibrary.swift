import COpenCL
import FileFormats
import Foundation

/// The compiled programs and kernels of one device, made at first use and kept on disk as binaries.
struct ProgramLibrary {
  private let api: TemperOpenCL
  private let context: cl_context
  private let info: OpenCLDeviceInfo
  private let cache: ProgramCache?
  private var programs: [String: cl_program] = [:]
  private var kernels: [String: cl_kernel] = [:]
  /// Options of every build. Denormals and precise division stay as the standard has them.
  private static let options = "-cl-std=CL1.2"

  init(api: TemperOpenCL, context: cl_context, info: OpenCLDeviceInfo) {
    self.api = api
    self.context = context
    self.info = info
    cache = ProgramCache.standard
  }

  /// A kernel of the Kernels folder.
  /// - Parameter defines: macros that its program is specialised by, such as tile sizes; each set of values is a
  ///   program of its own.
  mutating func kernel(named name: String, defines: [String: Int] = [:]) throws -> cl_kernel {
    let options = Self.options(defines)
    let key = name + options
    if let kernel = kernels[key] { return kernel }
    guard let family = KernelSources.familyOfKernel[name] else {
      throw TemperError(.internal, field: name, "is no kernel of the Kernels folder")
    }
    let program = try self.program(family, options)
    var status: cl_int = 0
    let kernel = api.clCreateKernel(program, name, &status)
    try OpenCL.check(status, "clCreateKernel \(name)")
    kernels[key] = kernel
    KernelLog.shared?.append(name)
    return kernel!
  }

  private static func options(_ defines: [String: Int]) -> String {
    defines.sorted { $0.key < $1.key }.reduce(options) { "\($0) -D\($1.key)=\($1.value)" }
  }

  func release() {
    for kernel in kernels.values { _ = api.clReleaseKernel(kernel) }
    for program in programs.values { _ = api.clReleaseProgram(program) }
  }

  private mutating func program(_ family: String, _ options: String) throws -> cl_program {
    if let program = programs[family + options] { return program }
    let source = KernelSources.families[family]!
    let key = [source, options, info.name, info.vendor, info.platform, info.version, info.driver]
    if let binary = cache?.binary(for: key), let program = try? load(binary, options) {
      programs[family + options] = program
      return program
    }
    let program = try build(source, family, options)
    programs[family + options] = program
    if let binary = binary(of: program) { cache?.store(binary, for: key) }
    return program
  }

  private func build(_ source: String, _ family: String, _ options: String) throws -> cl_program {
    var status: cl_int = 0
    let program = source.withCString { text in
      var text: UnsafePointer<CChar>? = text
      return api.clCreateProgramWithSource(context, 1, &text, nil, &status)
    }
    try OpenCL.check(status, "clCreateProgramWithSource \(family).cl")
    try compile(program!, family, options)
    return program!
  }

  private func load(_ binary: [UInt8], _ options: String) throws -> cl_program {
    var status: cl_int = 0
    var binaryStatus: cl_int = 0
    var id: cl_device_id? = info.id.id
    var count = binary.count
    let program = binary.withUnsafeBufferPointer { bytes in
      var address = bytes.baseAddress
      return api.clCreateProgramWithBinary(context, 1, &id, &count, &address, &binaryStatus, &status)
    }
    try OpenCL.check(status, "clCreateProgramWithBinary")
    try compile(program!, "cached binary", options)
    return program!
  }

  private func compile(_ program: cl_program, _ name: String, _ options: String) throws {
    var id: cl_device_id? = info.id.id
    let status = api.clBuildProgram(program, 1, &id, options, nil, nil)
    guard status != CL_SUCCESS else { return }
    let log = infoText {
      api.clGetProgramBuildInfo(program, id, cl_program_build_info(CL_PROGRAM_BUILD_LOG), $0, $1, $2)
    }
    _ = api.clReleaseProgram(program)
    throw TemperError(
      .deviceUnavailable, field: "\(name) on \(info.name)",
      "did not compile with \(options) (\(OpenCL.name(of: status))):\n\(log)")
  }

  private func binary(of program: cl_program) -> [UInt8]? {
    var size = 0
    let sizeKey = cl_program_info(CL_PROGRAM_BINARY_SIZES)
    guard api.clGetProgramInfo(program, sizeKey, MemoryLayout<Int>.size, &size, nil) == CL_SUCCESS, size > 0
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeMutableBufferPointer { buffer in
      var address = buffer.baseAddress
      let key = cl_program_info(CL_PROGRAM_BINARIES)
      return api.clGetProgramInfo(program, key, MemoryLayout<UnsafePointer<UInt8>>.size, &address, nil)
    }
    return status == CL_SUCCESS ? bytes : nil
  }
}

/// Appends the name of each kernel at its first use to the file named by `TEMPER_KERNEL_LOG`: the tests check
/// with it that no kernel of the Kernels folder went untested.
private struct KernelLog {
  static let shared = ProcessInfo.processInfo.environment["TEMPER_KERNEL_LOG"].map(KernelLog.init)
  private let path: String

  private init(_ path: String) { self.path = path }

  func append(_ name: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    guard file >= 0 else { return }
    _ = (name + "\n").withCString { write(file, $0, strlen($0)) }
    close(file)
  }
}
