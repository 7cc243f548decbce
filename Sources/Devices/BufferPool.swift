import Foundation

/// Memory that a device's buffers have taken since it was opened.
public struct MemoryUse: Sendable {
  /// Bytes of all blocks, used and free.
  public internal(set) var held = 0
  /// Bytes of the blocks in use.
  public internal(set) var used = 0
  /// The most bytes that were in use at once.
  public internal(set) var peak = 0
  /// Blocks that were asked of the system because no free one fitted.
  public internal(set) var allocations = 0
}

/// Free memory blocks by size class, kept for reuse: a training step allocates nothing once it has run.
package final class BufferPool<Block>: @unchecked Sendable {
  private let lock = NSLock()
  private var free: [Int: [Block]] = [:]
  private var statistics = MemoryUse()

  package init() {}

  /// What has been taken and given so far.
  package var use: MemoryUse { lock.withLock { statistics } }

  /// Sizes are rounded up to an eighth of their power of two, so that nearby sizes share blocks and at most
  /// an eighth is wasted.
  package static func sizeClass(_ byteCount: Int) -> Int {
    guard byteCount > 256 else { return 256 }
    let step = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount - 3 - 1)
    return (byteCount + step - 1) / step * step
  }

  /// A free block for so many bytes, and its size, which is that of the smallest class that has one, up to twice
  /// what is needed. If there is none, the caller makes one of the size from the system's memory.
  package func take(_ byteCount: Int) -> (block: Block?, size: Int) {
    lock.withLock {
      let smallest = Self.sizeClass(byteCount)
      var size = smallest
      var block: Block?
      while block == nil, size <= 2 * smallest {
        block = free[size]?.popLast()
        if block == nil { size = Self.sizeClass(size + 1) }
      }
      if block == nil {
        size = smallest
        statistics.held += size
        statistics.allocations += 1
      }
      statistics.used += size
      statistics.peak = max(statistics.peak, statistics.used)
      return (block, size)
    }
  }

  /// Undoes a ``take(_:)`` for which the caller could make no block.
  package func withdraw(_ size: Int) {
    lock.withLock {
      statistics.used -= size
      statistics.held -= size
    }
  }

  /// Gives back a block of the size with which it was taken.
  package func give(_ block: Block, _ size: Int) {
    lock.withLock {
      statistics.used -= size
      free[size, default: []].append(block)
    }
  }

  /// Forgets every free block; used when memory runs out.
  package func drain() -> [Block] {
    lock.withLock {
      defer { free = [:] }
      for (size, blocks) in free { statistics.held -= size * blocks.count }
      return free.values.flatMap { $0 }
    }
  }
}
