import Foundation

/// Free memory blocks by size class, kept for reuse: a training step allocates nothing once it has run.
package final class BufferPool<Block>: @unchecked Sendable {
  private let lock = NSLock()
  private var free: [Int: [Block]] = [:]

  package init() {}

  /// Sizes are rounded up to an eighth of their power of two, so that nearby sizes share blocks and at most
  /// an eighth is wasted.
  package static func sizeClass(_ byteCount: Int) -> Int {
    guard byteCount > 256 else { return 256 }
    let step = 1 << (Int.bitWidth - (byteCount - 1).leadingZeroBitCount - 3 - 1)
    return (byteCount + step - 1) / step * step
  }

  package func take(_ sizeClass: Int) -> Block? {
    lock.withLock { free[sizeClass]?.popLast() }
  }

  package func give(_ block: Block, _ sizeClass: Int) {
    lock.withLock { free[sizeClass, default: []].append(block) }
  }

  /// Forgets every free block; used when memory runs out.
  package func drain() -> [Block] {
    lock.withLock {
      defer { free = [:] }
      return free.values.flatMap { $0 }
    }
  }
}
