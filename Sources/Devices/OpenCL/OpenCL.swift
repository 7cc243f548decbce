import COpenCL
import FileFormats
import Foundation
import Synchronization

/// One OpenCL device with its context, its in-order queue, its compiled kernels and a pool of memory.
public final class OpenCL: @unchecked Sendable {
  /// Which shape of the hot kernels runs: with local memory and barriers for GPUs, or one work item per tile
  /// with wide vectors for CPU runtimes such as PoCL.
  public enum KernelShape: String, Sendable, CaseIterable { case gpu, cpu }

  /// The device's facts.
  public let info: OpenCLDeviceInfo
  /// The shape in use.
  public let kernelShape: KernelShape
  /// Floats of a vector in kernels shaped for CPU runtimes: 4, 8 or 16.
  package let vectorWidth: Int
  let api: TemperOpenCL
  let context: cl_context
  let queue: cl_command_queue
  private let memory = BufferPool<cl_mem>()
  var memoryUse: MemoryUse { memory.use }
  private var programs: ProgramLibrary
  /// Guards the queue's use from several threads: setting arguments and launching are two calls.
  private let lock = NSRecursiveLock()

  /// Opens a device.
  /// - Parameter kernelShape: by default GPU kernels unless the device is a CPU; `TEMPER_OPENCL_SHAPE`
  ///   (`gpu` or `cpu`) forces one.
  /// - Parameter vectorWidth: by default the device's native one.
  /// - Throws: `.deviceUnavailable` when the driver refuses.
  public init(_ info: OpenCLDeviceInfo, kernelShape: KernelShape? = nil, vectorWidth: Int? = nil) throws {
    guard let api = OpenCL.api else {
      throw TemperError(.deviceUnavailable, OpenCLDeviceInfo.absenceReason ?? "OpenCL is absent")
    }
    let forced = ProcessInfo.processInfo.environment["TEMPER_OPENCL_SHAPE"].flatMap(KernelShape.init)
    self.info = info
    self.api = api
    self.vectorWidth = vectorWidth ?? info.vectorWidth
    self.kernelShape = kernelShape ?? forced ?? (info.kind == .cpu ? .cpu : .gpu)
    var status: cl_int = 0
    var id: cl_device_id? = info.id.id
    let context = api.clCreateContext(nil, 1, &id, nil, nil, &status)
    try OpenCL.check(status, "clCreateContext")
    self.context = context!
    let queue = api.clCreateCommandQueue(context, id, 0, &status)
    try OpenCL.check(status, "clCreateCommandQueue")
    self.queue = queue!
    programs = ProgramLibrary(api: api, context: context!, info: info)
  }

  deinit {
    _ = api.clFinish(queue)
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

  // MARK: Memory

  package func makeBuffer(byteCount: Int) throws -> Buffer {
    let (block, size) = memory.take(byteCount)
    return Buffer(
      device: .openCL(self), byteCount: byteCount, storage: .openCL(try block ?? allocate(size), size))
  }

  private func allocate(_ size: Int) throws -> cl_mem {
    var status: cl_int = 0
    if let block = api.clCreateBuffer(context, cl_mem_flags(CL_MEM_READ_WRITE), size, nil, &status) {
      return block
    }
    try synchronize()
    for block in memory.drain() { _ = api.clReleaseMemObject(block) }
    if let block = api.clCreateBuffer(context, cl_mem_flags(CL_MEM_READ_WRITE), size, nil, &status) {
      return block
    }
    throw TemperError(
      .deviceUnavailable, field: info.name,
      "has no room for \(size) bytes (\(OpenCL.name(of: status)); largest block \(info.maximumAllocation))",
      remedy: "Choose a smaller --batch-size.")
  }

  func recycle(_ block: cl_mem, _ size: Int) { memory.give(block, size) }

  func release(_ block: cl_mem) { _ = api.clReleaseMemObject(block) }

  func subBuffer(of buffer: Buffer, byteOffset: Int, byteCount: Int) throws -> cl_mem {
    var region = cl_buffer_region(origin: byteOffset, size: byteCount)
    var status: cl_int = 0
    let part = api.clCreateSubBuffer(
      buffer.memory, cl_mem_flags(CL_MEM_READ_WRITE), cl_buffer_create_type(CL_BUFFER_CREATE_TYPE_REGION),
      &region, &status)
    try OpenCL.check(status, "clCreateSubBuffer")
    return part!
  }

  // MARK: Queue

  func write(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer) throws {
    lock.lock()
    defer { lock.unlock() }
    try OpenCL.check(
      api.clEnqueueWriteBuffer(
        queue, buffer.memory, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress, 0, nil, nil),
      "clEnqueueWriteBuffer")
  }

  func read(_ buffer: Buffer, into bytes: UnsafeMutableRawBufferPointer) throws {
    try OpenCL.check(
      api.clEnqueueReadBuffer(
        queue, buffer.memory, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress, 0, nil, nil),
      "clEnqueueReadBuffer")
  }

  func copy(_ source: Buffer, to target: Buffer, byteCount: Int) throws {
    lock.lock()
    defer { lock.unlock() }
    try OpenCL.check(
      api.clEnqueueCopyBuffer(queue, source.memory, target.memory, 0, 0, byteCount, 0, nil, nil),
      "clEnqueueCopyBuffer")
  }

  func synchronize() throws { try OpenCL.check(api.clFinish(queue), "clFinish") }

  /// Queues one kernel.
  /// - Parameters:
  ///   - name: a kernel of the Kernels folder; its program is compiled, or read from the cache, at first use.
  ///   - global: work items per dimension, rounded up to multiples of `local`.
  ///   - local: work group size, or nil to let the driver choose.
  ///   - defines: macros that the kernel's program is specialised by.
  package func launch(
    _ name: String, _ arguments: [KernelArgument], global: [Int], local: [Int]? = nil,
    defines: [String: Int] = [:]
  ) throws {
    guard global.allSatisfy({ $0 > 0 }) else { return }
    lock.lock()
    defer { lock.unlock() }
    let kernel = try programs.kernel(named: name, defines: defines)
    for (index, argument) in arguments.enumerated() {
      let status = argument.withBytes { api.clSetKernelArg(kernel, cl_uint(index), $0, $1) }
      try OpenCL.check(status, "clSetKernelArg \(index) of \(name)")
    }
    var global = global
    if let local { for i in global.indices { global[i] = (global[i] + local[i] - 1) / local[i] * local[i] } }
    let status = api.clEnqueueNDRangeKernel(
      queue, kernel, cl_uint(global.count), nil, global, local, 0, nil, nil)
    try OpenCL.check(status, "launch of \(name), global \(global), local \(local ?? [])")
  }
}
