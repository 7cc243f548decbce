import COpenCL
import FileFormats

extension OpenCL {
  /// Queues a write; the bytes are copied before this returns. It waits for the device only where memory for
  /// ``Uploads`` has run out.
  func write(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer) throws {
    lock.lock()
    defer { lock.unlock() }
    try Profile.span(profiler?.profile, "write") {
      for start in stride(from: 0, to: bytes.count, by: Uploads.pieceSize) {
        let piece = UnsafeRawBufferPointer(
          rebasing: bytes[start..<min(bytes.count, start + Uploads.pieceSize)])
        try write(piece, to: buffer.memory, offset: start)
      }
      try check(api.clFlush(queue), "clFlush")
    }
  }

  private func write(_ piece: UnsafeRawBufferPointer, to memory: cl_mem, offset: Int) throws {
    let work = Profile.Work(bytes: piece.count)
    if let events = try uploads?.write(piece, to: memory, offset: offset, on: queue) {
      guard let profiler else {
        for event in events.all { _ = api.clReleaseEvent(event) }
        return
      }
      profiler.note(events.transfer, "copy to device", work, track: .transfers)
      return try profiler.add(events.placement, "copy into place", Profile.Work(bytes: 2 * piece.count))
    }
    countWait()
    let event = try enqueue("clEnqueueWriteBuffer", asked: piece.count, waits: true) {
      api.clEnqueueWriteBuffer(
        queue, memory, cl_bool(CL_TRUE), offset, piece.count, piece.baseAddress, 0, nil, $0)
    }
    try profiler?.add(event, "copy to device", work)
  }

  func read(_ buffer: Buffer, into bytes: UnsafeMutableRawBufferPointer) throws {
    countWait()
    var event: cl_event?
    try Profile.span(profiler?.profile, "read") {
      try check(
        withEvent(&event) {
          api.clEnqueueReadBuffer(
            queue, buffer.memory, cl_bool(CL_TRUE), 0, bytes.count, bytes.baseAddress, 0, nil, $0)
        }, "clEnqueueReadBuffer", waits: true)
    }
    lock.lock()
    defer { lock.unlock() }
    try profiler?.add(event, "copy to host", Profile.Work(bytes: bytes.count))
    try finishWaiting()
  }

  /// Looks at what is complete after the host has waited for the queue.
  private func finishWaiting() throws {
    try uploads?.reclaim()
    try profiler?.collect()
  }

  func copy(_ source: Buffer, to target: Buffer, byteCount: Int, targetOffset: Int) throws {
    lock.lock()
    defer { lock.unlock() }
    let event = try enqueue("clEnqueueCopyBuffer", asked: byteCount) {
      api.clEnqueueCopyBuffer(
        queue, source.memory, target.memory, 0, targetOffset, byteCount, 0, nil, $0)
    }
    try profiler?.add(event, "copy on device", Profile.Work(bytes: 2 * byteCount))
  }

  package func synchronize() throws {
    countWait()
    try Profile.span(profiler?.profile, "synchronize") {
      try check(api.clFinish(queue), "clFinish", waits: true)
    }
    lock.lock()
    defer { lock.unlock() }
    try finishWaiting()
  }

  /// Passes the place for an event only while times are taken.
  private func withEvent(
    _ event: inout cl_event?, _ enqueue: (UnsafeMutablePointer<cl_event?>?) -> cl_int
  ) -> cl_int {
    guard profiler != nil else { return enqueue(nil) }
    return withUnsafeMutablePointer(to: &event) { enqueue($0) }
  }

  /// Throws for any status but success, and for a failure on purpose.
  /// - Parameter asked: bytes of the buffers of the call.
  private func check(
    _ status: cl_int, _ call: @autoclosure () -> String, waits: Bool = false, asked: Int = 0
  ) throws {
    let status = faults?.status(status, waits: waits) ?? status
    if OpenCL.isShortage(status) { throw shortage(of: asked, status) }
    if status != CL_SUCCESS { try OpenCL.check(status, call()) }
  }

  /// Takes times from here on: the queues give way to some whose commands keep theirs.
  func startProfiling(_ profile: Profile) throws {
    lock.lock()
    defer { lock.unlock() }
    try synchronize()
    var status: cl_int = 0
    let properties = cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE)
    let timed = api.clCreateCommandQueue(context, info.id.id, properties, &status)
    try OpenCL.check(status, "clCreateCommandQueue with profiling")
    _ = api.clReleaseCommandQueue(queue)
    queue = timed!
    waitCount.add(uploads?.waits ?? 0, ordering: .relaxed)
    uploads = try? Uploads(api: api, context: context, device: info.id.id, properties: properties)
    profiler = try QueueProfiler(profile, api: api, queue: queue)
    programs.profile = profile
  }

  /// Holds back everything that is queued from here on until the result is called.
  package func holdQueue() throws -> () -> Void {
    let gate = try userEvent()
    var waited: cl_event? = gate
    try OpenCL.check(api.clEnqueueBarrierWithWaitList(queue, 1, &waited, nil), "clEnqueueBarrierWithWaitList")
    let api = self.api
    return {
      _ = api.clSetUserEventStatus(gate, CL_COMPLETE)
      _ = api.clReleaseEvent(gate)
    }
  }

  /// Holds back the transfer of the next write until the result is called, which makes it fail.
  package func failNextUpload() throws -> () -> Void {
    let gate = try userEvent()
    uploads?.gate = gate
    let api = self.api
    return {
      _ = api.clSetUserEventStatus(gate, CL_OUT_OF_RESOURCES)
      _ = api.clReleaseEvent(gate)
    }
  }

  private func userEvent() throws -> cl_event {
    var status: cl_int = 0
    let event = api.clCreateUserEvent(context, &status)
    try OpenCL.check(status, "clCreateUserEvent")
    return event!
  }

  /// Waits until what was written so far is on the device, though not yet in its place.
  package func waitForTransfers() throws { try uploads?.wait() }

  /// Queues one kernel.
  /// - Parameters:
  ///   - name: a kernel of the Kernels folder; its program is compiled, or read from the cache, at first use.
  ///   - global: work items per dimension, rounded up to multiples of `local`.
  ///   - local: work group size, or nil to let the driver choose.
  ///   - defines: macros that the kernel's program is specialised by.
  ///   - flops: additions and multiplications, for `--profile`.
  ///   - bytes: bytes read and written, for `--profile`.
  package func launch(
    _ name: String, _ arguments: [KernelArgument], global: [Int], local: [Int]? = nil,
    defines: [String: Int] = [:], flops: Int? = nil, bytes: Int? = nil
  ) throws {
    guard global.allSatisfy({ $0 > 0 }) else { return }
    lock.lock()
    defer { lock.unlock() }
    let family = KernelSources.familyOfKernel[name] ?? ""
    let defines = macros(ofProgram: family).merging(defines) { $1 }
    let kernel = try programs.kernel(named: name, defines: defines)
    for (index, argument) in arguments.enumerated() {
      let status = argument.withBytes { api.clSetKernelArg(kernel, cl_uint(index), $0, $1) }
      try OpenCL.check(status, "clSetKernelArg \(index) of \(name)")
    }
    var global = global
    if let local { for i in global.indices { global[i] = (global[i] + local[i] - 1) / local[i] * local[i] } }
    faults?.countLaunch(of: name)
    let event = try enqueue(kernel, name, arguments, global, local)
    try profiler?.add(
      event, name, Profile.Work(flops: flops, bytes: bytes), global: global, local: local ?? [])
    if let faults, faults.makesWrong(name, defines) { try spoil(arguments) }
  }

  private func enqueue(
    _ kernel: cl_kernel, _ name: String, _ arguments: [KernelArgument], _ global: [Int], _ local: [Int]?
  ) throws -> cl_event? {
    // Results come last.
    let result = arguments.last { $0.byteCount > 0 }?.byteCount ?? 0
    return try enqueue("launch of \(name), global \(global), local \(local ?? [])", asked: result) {
      api.clEnqueueNDRangeKernel(queue, kernel, cl_uint(global.count), nil, global, local, 0, nil, $0)
    }
  }

  /// Some drivers look for the memory of a buffer when it is first used: where there is none, once more after giving back
  /// what is free.
  /// - Parameter asked: bytes of what has most likely been without memory before.
  private func enqueue(
    _ call: @autoclosure () -> String, asked: Int, waits: Bool = false,
    _ command: (UnsafeMutablePointer<cl_event?>?) -> cl_int
  ) throws -> cl_event? {
    var event: cl_event?
    func attempt() -> cl_int {
      let status = withEvent(&event, command)
      return faults?.status(status, waits: waits) ?? status
    }
    var status = attempt()
    if OpenCL.isShortage(status) {
      try releaseWhatIsFree()
      status = attempt()
    }
    try check(status, call(), waits: waits, asked: asked)
    return event
  }

  /// Writes a NaN to the start of the last buffer among a kernel's arguments: a wrong result.
  private func spoil(_ arguments: [KernelArgument]) throws {
    for case .buffer(let buffer) in arguments.reversed() {
      var pattern = Float.nan
      let status = api.clEnqueueFillBuffer(queue, buffer.memory, &pattern, 4, 0, 4, 0, nil, nil)
      return try OpenCL.check(status, "clEnqueueFillBuffer")
    }
  }
}
