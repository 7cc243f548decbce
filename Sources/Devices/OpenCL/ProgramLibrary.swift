import COpenCL
import FileFormats
import Foundation

/// The compiled programs and kernels of one device, made at first use or ahead of it, and kept on disk as binaries.
final class ProgramLibrary: @unchecked Sendable {
  private let api: TemperOpenCL
  private let context: cl_context
  private let info: OpenCLDeviceInfo
  private let faults: FaultInjection?
  let cache: ProgramCache?
  private let storesBinaries: Bool
  private let lock = NSLock()
  private var programs: [String: cl_program] = [:]
  private var kernels: [String: cl_kernel] = [:]
  private var counts = ProgramUse()
  /// Set while times are taken.
  var profile: Profile?
  /// Options of every build. Denormals and precise division stay as the standard has them; PoCL would count its warnings
  /// on standard error.
  private static let options = "-cl-std=CL1.2 -w"

  init(
    api: TemperOpenCL, context: cl_context, info: OpenCLDeviceInfo, cache: ProgramCache?,
    storesBinaries: Bool, faults: FaultInjection?
  ) {
    self.api = api
    self.context = context
    self.info = info
    self.cache = cache
    self.storesBinaries = storesBinaries
    self.faults = faults
  }

  var use: ProgramUse { lock.withLock { counts } }

  /// A kernel of the Kernels folder.
  /// - Parameter defines: macros that its program is specialised by, such as tile sizes; each set of values is a
  ///   program of its own.
  func kernel(named name: String, defines: [String: Int] = [:]) throws -> cl_kernel {
    let options = Self.options(defines)
    let key = name + options
    if let kernel = lock.withLock({ kernels[key] }) { return kernel }
    guard let family = KernelSources.familyOfKernel[name] else {
      throw TemperError(.internal, field: name, "is no kernel of the Kernels folder")
    }
    let program = try self.program(family, options)
    var status: cl_int = 0
    let kernel = api.clCreateKernel(program, name, &status)
    try OpenCL.check(status, "clCreateKernel \(name)")
    lock.withLock { kernels[key] = kernel }
    KernelLog.shared?.append(name)
    return kernel!
  }

  /// Compiles those of these programs that are not in the cache, on several host threads. A program that
  /// does not compile is left to its first use, which says why. Without a cache nothing is done.
  /// - Parameter progress: called after each program with the number of those done and of all.
  func prepare(_ wanted: [ProgramVariant], progress: @escaping @Sendable (Int, Int) -> Void) {
    guard let cache else { return }
    let missing = wanted.filter { variant in
      let options = Self.options(variant.defines)
      return lock.withLock { programs[variant.family + options] } == nil
        && !cache.contains(key(variant.family, options))
    }
    guard !missing.isEmpty else { return }
    let progressLock = NSLock()
    nonisolated(unsafe) var done = 0
    progress(0, missing.count)
    DispatchQueue.concurrentPerform(iterations: missing.count) { index in
      _ = try? program(missing[index].family, Self.options(missing[index].defines))
      progressLock.withLock {
        done += 1
        progress(done, missing.count)
      }
    }
  }

  private static func options(_ defines: [String: Int]) -> String {
    defines.sorted { $0.key < $1.key }.reduce(options) { "\($0) -D\($1.key)=\($1.value)" }
  }

  func release() {
    for kernel in kernels.values { _ = api.clReleaseKernel(kernel) }
    for program in programs.values { _ = api.clReleaseProgram(program) }
  }

  /// What a binary depends on.
  private func key(_ family: String, _ options: String) -> [String] {
    [KernelSources.families[family]!, options] + info.identity
  }

  private func program(_ family: String, _ options: String) throws -> cl_program {
    let name = family + options
    if let program = lock.withLock({ programs[name] }) { return program }
    let made = try Profile.span(profile, "compile \(family)") { try make(family, options) }
    return lock.withLock {
      // Another thread may have been faster.
      if let first = programs[name] {
        _ = api.clReleaseProgram(made)
        return first
      }
      programs[name] = made
      return made
    }
  }

  private func make(_ family: String, _ options: String) throws -> cl_program {
    let key = key(family, options)
    if let binary = cache?.binary(for: key), !binary.isEmpty,
      faults?.breaksBuild(of: family, options) != true,
      let program = try? load(binary, options)
    {
      lock.withLock { counts.loaded += 1 }
      return program
    }
    let program = try build(family, options)
    lock.withLock { counts.built += 1 }
    if let cache {
      // The empty entry remembers that the program has been built.
      if !storesBinaries {
        cache.store([], for: key)
      } else if let binary = binary(of: program) {
        cache.store(binary, for: key)
      }
    }
    return program
  }

  private func build(_ family: String, _ options: String) throws -> cl_program {
    var source = KernelSources.families[family]!
    if faults?.breaksBuild(of: family, options) == true { source = "#error broken on purpose\n" + source }
    var status: cl_int = 0
    let program = source.withCString { text in
      var text: UnsafePointer<CChar>? = text
      return api.clCreateProgramWithSource(context, 1, &text, nil, &status)
    }
    try OpenCL.check(status, "clCreateProgramWithSource \(family).cl")
    try compile(program!, "\(family).cl", options)
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
    throw BuildFailure(file: name, options: options, status: status, log: log, info).error(cache)
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

/// A program: a family of kernels, specialised by macros.
package struct ProgramVariant: Sendable, Hashable {
  package let family: String
  package let defines: [String: Int]

  package init(_ family: String, _ defines: [String: Int] = [:]) {
    (self.family, self.defines) = (family, defines)
  }
}

/// How a device came by its programs.
package struct ProgramUse: Sendable, Equatable {
  /// Programs compiled from source.
  package internal(set) var built = 0
  /// Programs made of a binary from the cache.
  package internal(set) var loaded = 0

  package init() {}
}
