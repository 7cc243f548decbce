/// Memory of the process, aligned for vector loads; freed with its last reference.
package final class HostBlock: @unchecked Sendable {
  package let address: UnsafeMutableRawPointer

  package init(byteCount: Int) {
    address = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { address.deallocate() }
}
