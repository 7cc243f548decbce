import COpenCL

/// Writes to the device while its kernels run. Bytes are copied to page-locked memory, sent by a queue of their own to
/// memory that is set apart on the device, and copied from there to where they belong in the order of the kernels' queue.
/// The first two need not wait for kernels queued before, so that data of the next batch cross the bus beside them.
final class Uploads {
  private struct Block {
    /// Page-locked, at `address`.
    let host: cl_mem
    let address: UnsafeMutableRawPointer
    /// As large, on the device.
    let device: cl_mem
    let size: Int
  }

  /// The events of a write, which the caller releases: bytes have reached the device, and their place.
  struct Events {
    let transfer: cl_event
    let placement: cl_event

    var all: [cl_event] { [transfer, placement] }
  }

  /// Larger writes are cut into pieces of this size.
  static let pieceSize = 4 << 20
  /// Bytes of blocks at most, on the host and on the device; beyond them the oldest write is waited for.
  private static let capacity = 64 << 20
  private let api: TemperOpenCL
  private let context: cl_context
  private let transfers: cl_command_queue
  /// Blocks are mapped here, where nothing is waited for.
  private let mapping: cl_command_queue
  private var free: [Int: [Block]] = [:]
  private var busy: [(block: Block, events: Events)] = []
  private var held = 0
  /// How often the host had to wait for memory.
  private(set) var waits = 0
  /// What the next transfer waits for; for tests.
  var gate: cl_event?

  /// - Parameter properties: those of the queue.
  init(
    api: TemperOpenCL, context: cl_context, device: cl_device_id, properties: cl_command_queue_properties = 0
  ) throws {
    self.api = api
    self.context = context
    func queue(_ properties: cl_command_queue_properties) throws -> cl_command_queue {
      var status: cl_int = 0
      let queue = api.clCreateCommandQueue(context, device, properties, &status)
      try OpenCL.check(status, "clCreateCommandQueue for uploads")
      return queue!
    }
    transfers = try queue(properties)
    mapping = try queue(0)
  }

  /// The queue that the writes went to must be empty.
  deinit {
    for item in busy {
      for event in item.events.all { _ = api.clReleaseEvent(event) }
      release(item.block)
    }
    releaseFree()
    for queue in [transfers, mapping] {
      _ = api.clFinish(queue)
      _ = api.clReleaseCommandQueue(queue)
    }
  }

  /// Gives the memory that is not in use back to the driver.
  func releaseFree() {
    free.values.joined().forEach(release)
    free = [:]
  }

  /// Queues a write of at most ``pieceSize`` bytes, which commands of `queue` see from here on.
  /// - Returns: nil if there is no memory for it.
  func write(
    _ bytes: UnsafeRawBufferPointer, to memory: cl_mem, offset: Int, on queue: cl_command_queue
  ) throws -> Events? {
    let awaited = gate
    gate = nil
    guard let block = try take(bytes.count) else { return nil }
    block.address.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    var (transfer, placement): (cl_event?, cl_event?)
    var status = api.clEnqueueWriteBuffer(
      transfers, block.device, cl_bool(CL_FALSE), 0, bytes.count, block.address,
      awaited == nil ? 0 : 1, awaited == nil ? nil : [awaited], &transfer)
    guard let transfer else {
      // Some drivers look for the memory of a buffer only now. What else is wrong, the write without a block will tell.
      release(block)
      return nil
    }
    // A queue may wait for another one's commands only once these are flushed.
    status = api.clFlush(transfers)
    if status == CL_SUCCESS {
      var awaited: cl_event? = transfer
      status = api.clEnqueueCopyBuffer(
        queue, block.device, memory, 0, offset, bytes.count, 1, &awaited, &placement)
    }
    guard let placement else {
      var awaited: cl_event? = transfer
      if OpenCL.isShortage(status), api.clWaitForEvents(1, &awaited) == CL_SUCCESS {
        // Their place has no memory yet: the write without a block will ask for it.
        _ = api.clReleaseEvent(transfer)
        free[block.size, default: []].append(block)
        return nil
      }
      // The block may still be in use: it is given up, with a device that is lost.
      _ = api.clReleaseEvent(transfer)
      try OpenCL.check(status, "an upload of \(bytes.count) bytes")
      return nil
    }
    let events = Events(transfer: transfer, placement: placement)
    for event in events.all { _ = api.clRetainEvent(event) }
    busy.append((block, events))
    return events
  }

  /// Waits until what was written so far is on the device.
  func wait() throws { try OpenCL.check(api.clFinish(transfers), "clFinish") }

  private func take(_ count: Int) throws -> Block? {
    var size = 4096
    while size < count { size *= 2 }
    try reclaim()
    if let block = free[size]?.popLast() { return block }
    while held + size > Self.capacity, !busy.isEmpty {
      waits += 1
      var oldest: cl_event? = busy[0].events.placement
      try OpenCL.check(api.clWaitForEvents(1, &oldest), "clWaitForEvents")
      try reclaim()
      if let block = free[size]?.popLast() { return block }
    }
    if held + size > Self.capacity { releaseFree() }
    return make(size)
  }

  /// Frees the blocks whose bytes are in their place; the queue puts them there in order.
  /// - Throws: `.deviceUnavailable` if one of them never got there.
  func reclaim() throws {
    var done = 0
    defer { busy.removeFirst(done) }
    for item in busy {
      var placement = OpenCL.status(api, of: item.events.placement)
      guard placement <= CL_COMPLETE else { return }
      if placement == CL_COMPLETE {
        // Intel's runtime calls what failed complete, and says so only to those who wait.
        var event: cl_event? = item.events.placement
        placement = api.clWaitForEvents(1, &event)
      }
      // Of a failure the transfer's own status says more than that of the copy that waited for it.
      let transfer = min(CL_COMPLETE, OpenCL.status(api, of: item.events.transfer))
      done += 1
      for event in item.events.all { _ = api.clReleaseEvent(event) }
      free[item.block.size, default: []].append(item.block)
      try OpenCL.check(transfer < CL_COMPLETE ? transfer : placement, "an upload")
    }
  }

  private func make(_ size: Int) -> Block? {
    func buffer(_ flags: Int32) -> cl_mem? {
      var status: cl_int = 0
      return api.clCreateBuffer(context, cl_mem_flags(flags), size, nil, &status)
    }
    guard let device = buffer(CL_MEM_READ_WRITE) else { return nil }
    guard let host = buffer(CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR) else {
      _ = api.clReleaseMemObject(device)
      return nil
    }
    var status: cl_int = 0
    let address = api.clEnqueueMapBuffer(
      mapping, host, cl_bool(CL_TRUE), cl_map_flags(CL_MAP_WRITE), 0, size, 0, nil, nil, &status)
    guard status == CL_SUCCESS, let address else {
      for memory in [device, host] { _ = api.clReleaseMemObject(memory) }
      return nil
    }
    held += size
    return Block(host: host, address: address, device: device, size: size)
  }

  private func release(_ block: Block) {
    _ = api.clEnqueueUnmapMemObject(mapping, block.host, block.address, 0, nil, nil)
    for memory in [block.device, block.host] { _ = api.clReleaseMemObject(memory) }
    held -= block.size
  }
}
