import COpenCL
import FileFormats
import Foundation
import Synchronization

/// One OpenCL device with its context, its in-order queues, its compiled kernels and a pool of memory.
public final class OpenCL: @unchecked Sendable {
  /// Which shape of the hot kernels runs: with local memory and barriers for GPUs, or one work item per tile
  /// with wide vectors for CPU runtimes such as PoCL.
  public enum KernelShape: String, Sendable, CaseIterable { case gpu, cpu }

  /// The device's facts.
  public let info: OpenCLDeviceInfo
  /// The shape in use.
  public internal(set) var kernelShape: KernelShape
  /// What products and convolutions round their operands to; see ``setPrecision(_:)``.
  public internal(set) var precision = Precision.fp32
  /// What multiplies rounded operands, if anything does.
  package let matrixUnits: MatrixUnits?
  /// Floats of a vector in kernels shaped for CPU runtimes: 4, 8 or 16.
  package let vectorWidth: Int
  /// Kernel shapes and other variants that failed to build or computed wrong results here; see ``disable(_:)``.
  package internal(set) var disabledVariants: Set<String> = []
  private var postponed: [AnyHashable: () throws -> Void] = [:]
  let api: TemperOpenCL
  let context: cl_context
  /// In order; replaced by one that takes times when profiling begins.
  var queue: cl_command_queue
  let memory = BufferPool<cl_mem>()
  let programs: ProgramLibrary
  let faults: FaultInjection?
  /// The second queue, for writes; nil where it cannot be had.
  var uploads: Uploads?
  var profiler: QueueProfiler?
  /// Whether freed memory is kept for reuse, in blocks that may be larger than a buffer. The tests switch it off under
  /// Oclgrind, which then notices reads beyond a buffer, and of what an earlier one left.
  package var keepsFreeMemory = true
  /// The last allocation that failed.
  package internal(set) var allocationFailure: AllocationFailure?
  /// Guards the queue's use from several threads: setting arguments and launching are two calls.
  let lock = NSRecursiveLock()
  let waitCount = Atomic<Int>(0)

  /// Opens a device.
  /// - Parameter kernelShape: by default GPU kernels unless the device is a CPU; `TEMPER_OPENCL_SHAPE`
  ///   (`gpu` or `cpu`) forces one.
  /// - Parameter vectorWidth: by default the device's native one.
  /// - Throws: `.deviceUnavailable` when the driver refuses.
  public convenience init(
    _ info: OpenCLDeviceInfo, kernelShape: KernelShape? = nil, vectorWidth: Int? = nil
  ) throws {
    try self.init(
      info, kernelShape: kernelShape, vectorWidth: vectorWidth, cache: ProgramCache.standard,
      faults: FaultInjection.ofEnvironment())
  }

  /// Opens a device with a cache of its own.
  /// - Parameters:
  ///   - cache: where compiled programs are kept; nil for nowhere.
  ///   - storesBinaries: whether they are kept as the driver's binaries; by default unless the driver keeps them
  ///     itself.
  ///   - faults: a failure on purpose.
  ///   - emulatesMatrixUnits: whether kernels for tensor cores run without them.
  package init(
    _ info: OpenCLDeviceInfo, kernelShape: KernelShape? = nil, vectorWidth: Int? = nil, cache: ProgramCache?,
    storesBinaries: Bool? = nil, faults: FaultInjection? = nil, emulatesMatrixUnits: Bool = false
  ) throws {
    guard let api = OpenCL.api else {
      throw TemperError(.deviceUnavailable, OpenCLDeviceInfo.absenceReason ?? "OpenCL is absent")
    }
    let forced = ProcessInfo.processInfo.environment["TEMPER_OPENCL_SHAPE"].flatMap(KernelShape.init)
    self.info = info
    self.api = api
    self.faults = faults
    self.vectorWidth = vectorWidth ?? info.vectorWidth
    matrixUnits = emulatesMatrixUnits ? .emulated : info.hasTensorCores ? .tensorCores : nil
    self.kernelShape = kernelShape ?? forced ?? (info.kind == .cpu ? .cpu : .gpu)
    var status: cl_int = 0
    var id: cl_device_id? = info.id.id
    let context = api.clCreateContext(nil, 1, &id, nil, nil, &status)
    try OpenCL.check(status, "clCreateContext")
    self.context = context!
    let queue = api.clCreateCommandQueue(context, id, 0, &status)
    try OpenCL.check(status, "clCreateCommandQueue")
    self.queue = queue!
    programs = ProgramLibrary(
      api: api, context: context!, info: info, cache: cache,
      storesBinaries: storesBinaries ?? !info.driverKeepsBinaries, faults: faults)
    uploads = try? Uploads(api: api, context: context!, device: info.id.id)
  }

  deinit {
    _ = api.clFinish(queue)
    (uploads, profiler) = (nil, nil)
    for block in memory.drain() { _ = api.clReleaseMemObject(block) }
    programs.release()
    _ = api.clReleaseCommandQueue(queue)
    _ = api.clReleaseContext(context)
  }

  /// The entry points, or nil when this machine has no OpenCL library.
  static let api: TemperOpenCL? = {
    var reason: UnsafePointer<CChar>?
    return temper_opencl(&reason)?.pointee
  }()

  static var loadFailure: String {
    var reason: UnsafePointer<CChar>?
    _ = temper_opencl(&reason)
    return reason.map { String(cString: $0) } ?? ""
  }

  private static let opened = Mutex<[Int: OpenCL]>([:])

  /// The device of `info`, opened once per process.
  public static func shared(_ info: OpenCLDeviceInfo) throws -> OpenCL {
    try opened.withLock { devices in
      if let device = devices[info.index] { return device }
      let device = try OpenCL(info)
      devices[info.index] = device
      return device
    }
  }

  /// How often the host has waited for the device so far: reads, ``synchronize()``, and writes that found no
  /// memory for ``Uploads``.
  package var waits: Int { waitCount.load(ordering: .relaxed) + (lock.withLock { uploads?.waits } ?? 0) }

  func countWait() { waitCount.add(1, ordering: .relaxed) }

  // MARK: Programs

  /// Where compiled programs are kept, if they are.
  package var cache: ProgramCache? { programs.cache }

  /// How the programs in use were made.
  package var programUse: ProgramUse { programs.use }

  /// Compiles on several host threads those of some programs that the cache lacks, as launches do: with the macros of the
  /// kernel shape in use besides those given.
  /// - Parameter progress: called with the number of programs done and of all; not at all if none is missing.
  package func compileAhead(
    _ variants: [ProgramVariant], progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) {
    let whole = variants.map {
      ProgramVariant($0.family, macros(ofProgram: $0.family).merging($0.defines) { $1 })
    }
    programs.prepare(whole, progress: progress)
  }

  /// Whether a variant of kernels may be used: a kernel shape's name, or the name that a ``KernelCheck`` gives.
  package func isEnabled(_ variant: String) -> Bool { !disabledVariants.contains(variant) }

  /// Leaves work for the first time that ``beforeFirstUse(of:)`` is called with a value.
  package func postpone(until use: AnyHashable, _ work: @escaping () throws -> Void) {
    lock.withLock { postponed[use] = work }
  }

  /// Does what was postponed until some kernels are used.
  /// - Returns: whether there was anything to do.
  package func beforeFirstUse(of use: some Hashable) throws -> Bool {
    guard let work = lock.withLock({ postponed.isEmpty ? nil : postponed.removeValue(forKey: use) }) else {
      return false
    }
    try work()
    return true
  }

  /// Runs `body` with the kernels of GPUs, whatever the shape in use.
  package func withGPUKernels<R>(_ body: () throws -> R) rethrows -> R {
    let current = kernelShape
    defer { kernelShape = current }
    kernelShape = .gpu
    return try body()
  }

  /// Stops the use of a variant that fails to build or computes wrong results. If it is the kernel shape in use, the
  /// other one takes its place; without matrix units, or the shape that has them, operands stay float32.
  /// - Throws: `.deviceUnavailable` if both shapes are wrong.
  package func disable(_ variant: String) throws {
    disabledVariants.insert(variant)
    if [Self.matrixVariant, KernelShape.gpu.rawValue].contains(variant) { precision = .fp32 }
    guard variant == kernelShape.rawValue else { return }
    guard let other = KernelShape.allCases.first(where: { isEnabled($0.rawValue) }) else {
      throw TemperError(
        .deviceUnavailable, field: info.name, "fails the checks of every shape of the kernels",
        remedy: "Update its driver (here \(info.driver)), or choose another --device.")
    }
    kernelShape = other
  }
}
