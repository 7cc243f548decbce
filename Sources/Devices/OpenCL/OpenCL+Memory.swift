import COpenCL
import FileFormats

extension OpenCL {
  var memoryUse: MemoryUse { memory.use }

  package func makeBuffer(byteCount: Int) throws -> Buffer {
    let (block, size) = memory.take(byteCount)
    if let block {
      return Buffer(device: .openCL(self), byteCount: byteCount, storage: .openCL(block, size))
    }
    do {
      let block = try allocate(keepsFreeMemory ? size : byteCount)
      return Buffer(device: .openCL(self), byteCount: byteCount, storage: .openCL(block, size))
    } catch {
      memory.withdraw(size)
      throw error
    }
  }

  /// Asks the driver; if it has nothing left, the pool's free blocks are given back to it first.
  private func allocate(_ size: Int) throws -> cl_mem {
    var status: cl_int = 0
    if let block = create(size, &status) { return block }
    try releaseWhatIsFree()
    if let block = create(size, &status) { return block }
    throw shortage(of: size, status)
  }

  /// Gives the pool's free blocks back to the driver.
  func releaseWhatIsFree() throws {
    try synchronize()
    for block in memory.drain() { _ = api.clReleaseMemObject(block) }
    lock.withLock { uploads?.releaseFree() }
  }

  /// The error of a status that says that memory ran out, kept for the advice of ``Device/withBatch(of:fixed:_:)``.
  /// - Parameter asked: bytes of buffers that count as in use; 0 if it is not known which had no room.
  func shortage(of asked: Int, _ status: cl_int) -> TemperError {
    let failure = AllocationFailure(
      asked: asked, used: memory.use.used - asked, total: info.globalMemory, largest: info.maximumAllocation)
    allocationFailure = failure
    return failure.error(info.name, status: OpenCL.name(of: status))
  }

  static func isShortage(_ status: cl_int) -> Bool {
    [CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY].contains(status)
  }

  private func create(_ size: Int, _ status: inout cl_int) -> cl_mem? {
    if let faults, faults.refusesAllocation() {
      status = CL_MEM_OBJECT_ALLOCATION_FAILURE
      return nil
    }
    return api.clCreateBuffer(context, cl_mem_flags(CL_MEM_READ_WRITE), size, nil, &status)
  }

  package func forgetAllocationFailure() { allocationFailure = nil }

  func recycle(_ block: cl_mem, _ size: Int) {
    if keepsFreeMemory { return memory.give(block, size) }
    memory.withdraw(size)
    release(block)
  }

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
}
