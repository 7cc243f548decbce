import FileFormats

/// What is known about an allocation that a device refused.
package struct AllocationFailure: Sendable, Equatable {
  /// Bytes asked for.
  package let asked: Int
  /// Bytes of the buffers in use at that time.
  package let used: Int
  /// Bytes of the device's memory.
  package let total: Int
  /// Bytes of the largest block that the device gives.
  package let largest: Int

  package init(asked: Int, used: Int, total: Int, largest: Int) {
    (self.asked, self.used, self.total, self.largest) = (asked, used, total, largest)
  }

  /// The largest batch that would have fitted, if memory grows with the batch beyond what is fixed: what was in use
  /// did fit, and the block asked for did not. 0 if not even one sample would have.
  /// - Parameters:
  ///   - batch: samples of the batch that failed.
  ///   - fixed: bytes in use before it, such as parameters and the data set.
  package func fittingBatch(of batch: Int, fixed: Int) -> Int {
    let room = Double(max(0, min(used, total) - fixed))
    let needed = Double(max(1, used + asked - fixed))
    let byMemory = Double(batch) * room / needed
    let byBlock = asked > largest ? Double(batch) * Double(largest) / Double(asked) : Double(batch)
    return max(0, min(batch - 1, Int(min(byMemory, byBlock))))
  }

  func error(_ device: String, status: String) -> TemperError {
    TemperError(
      .deviceUnavailable, field: device,
      "has no room for \(asked > 0 ? Self.text(asked) : "what was queued") (\(status)); "
        + "\(Self.text(used)) are in use, the device has \(Self.text(total)) and gives blocks of at most \(Self.text(largest))",
      remedy: "Choose a smaller --batch-size or --limit where the command has them, or another --device.")
  }

  private static func text(_ bytes: Int) -> String {
    bytes < 10_000_000 ? "\(bytes) bytes" : "\(bytes / 1_000_000) MB"
  }
}

extension Device {
  /// Runs work on a batch; if the device's memory runs out, the error says which batch would have fitted.
  /// - Parameters:
  ///   - batch: samples of the batch.
  ///   - fixed: bytes of the device's buffers that do not depend on it.
  package func withBatch<R>(of batch: Int, fixed: Int, _ body: () throws -> R) throws -> R {
    guard case .openCL(let device) = self else { return try body() }
    device.forgetAllocationFailure()
    do {
      return try body()
    } catch let error as TemperError where error.kind == .deviceUnavailable {
      guard let failure = device.allocationFailure else { throw error }
      let fitting = failure.fittingBatch(of: batch, fixed: fixed)
      let remedy =
        fitting > 0
        ? "Choose a smaller --batch-size: of \(batch) images at most about \(fitting) would have fitted."
        : "Choose a smaller network or another --device: not even a batch of one image would have fitted."
      throw TemperError(error.kind, file: error.file, field: error.field, error.message, remedy: remedy)
    }
  }
}
