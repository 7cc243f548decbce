import COpenCL

/// Page-locked host memory through which bytes reach the device while its queue is busy. A write is copied there
/// and queued; the memory is used again once the write's event is complete.
final class Uploads {
  private struct Block {
    let memory: cl_mem
    let address: UnsafeMutableRawPointer
    let size: Int
  }

  /// Larger writes are cut into pieces of this size.
  static let pieceSize = 4 << 20
  /// Bytes of page-locked memory at most; beyond them the oldest write is waited for.
  private static let capacity = 64 << 20
  private let api: TemperOpenCL
  private let context: cl_context
  /// Blocks are mapped here: on the queue of the kernels that would wait for them.
  private let mapping: cl_command_queue
  private var free: [Int: [Block]] = [:]
  private var busy: [(block: Block, event: cl_event)] = []
  private var held = 0
  /// How often the host had to wait for memory.
  private(set) var waits = 0

  init(api: TemperOpenCL, context: cl_context, device: cl_device_id) throws {
    self.api = api
    self.context = context
    var status: cl_int = 0
    let queue = api.clCreateCommandQueue(context, device, 0, &status)
    try OpenCL.check(status, "clCreateCommandQueue")
    mapping = queue!
  }

  /// The queue that the writes went to must be empty.
  deinit {
    for item in busy {
      _ = api.clReleaseEvent(item.event)
      unmap(item.block)
    }
    free.values.joined().forEach(unmap)
    _ = api.clFinish(mapping)
    _ = api.clReleaseCommandQueue(mapping)
  }

  /// Queues a write of at most ``pieceSize`` bytes.
  /// - Returns: the write's event, which the caller releases; nil if there is no page-locked memory.
  func write(
    _ bytes: UnsafeRawBufferPointer, to memory: cl_mem, offset: Int, on queue: cl_command_queue
  ) throws -> cl_event? {
    guard let block = try take(bytes.count) else { return nil }
    block.address.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    var event: cl_event?
    let status = api.clEnqueueWriteBuffer(
      queue, memory, cl_bool(CL_FALSE), offset, bytes.count, block.address, 0, nil, &event)
    guard status == CL_SUCCESS, let event else {
      free[block.size, default: []].append(block)
      try OpenCL.check(status, "clEnqueueWriteBuffer")
      return nil
    }
    busy.append((block, event))
    _ = api.clRetainEvent(event)
    return event
  }

  private func take(_ count: Int) throws -> Block? {
    var size = 4096
    while size < count { size *= 2 }
    try reclaim()
    if let block = free[size]?.popLast() { return block }
    while held + size > Self.capacity, !busy.isEmpty {
      waits += 1
      var oldest: cl_event? = busy[0].event
      try OpenCL.check(api.clWaitForEvents(1, &oldest), "clWaitForEvents")
      try reclaim()
      if let block = free[size]?.popLast() { return block }
    }
    if held + size > Self.capacity {
      free.values.joined().forEach(unmap)
      free = [:]
    }
    return map(size)
  }

  /// Blocks whose writes are complete; the queue completes them in order.
  private func reclaim() throws {
    var done = 0
    defer { busy.removeFirst(done) }
    for item in busy {
      let status = OpenCL.status(api, of: item.event)
      guard status <= CL_COMPLETE else { return }
      done += 1
      _ = api.clReleaseEvent(item.event)
      free[item.block.size, default: []].append(item.block)
      try OpenCL.check(status, "clEnqueueWriteBuffer")
    }
  }

  private func map(_ size: Int) -> Block? {
    var status: cl_int = 0
    let flags = cl_mem_flags(CL_MEM_READ_WRITE) | cl_mem_flags(CL_MEM_ALLOC_HOST_PTR)
    guard let memory = api.clCreateBuffer(context, flags, size, nil, &status) else { return nil }
    let address = api.clEnqueueMapBuffer(
      mapping, memory, cl_bool(CL_TRUE), cl_map_flags(CL_MAP_WRITE), 0, size, 0, nil, nil, &status)
    guard status == CL_SUCCESS, let address else {
      _ = api.clReleaseMemObject(memory)
      return nil
    }
    held += size
    return Block(memory: memory, address: address, size: size)
  }

  private func unmap(_ block: Block) {
    _ = api.clEnqueueUnmapMemObject(mapping, block.memory, block.address, 0, nil, nil)
    _ = api.clReleaseMemObject(block.memory)
    held -= block.size
  }
}
