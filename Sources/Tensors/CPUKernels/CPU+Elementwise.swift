import Devices

extension SIMD8<Float> {
  /// Loads eight values from memory of any alignment.
  @inline(__always)
  init(at pointer: UnsafePointer<Float>) {
    self = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
  }

  /// Stores eight values to memory of any alignment.
  @inline(__always)
  func store(to pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: self, as: SIMD8<Float>.self)
  }
}

extension CPU {
  /// Elements that make a task worth a thread: about 10 microseconds at memory bandwidth.
  static let elementwiseGrain = 32_768

  /// Runs an elementwise body on all threads: `vector` for eight elements from an index on, `scalar` for the
  /// rest. Both must compute the same, bit for bit.
  @inline(__always)
  package func elementwise(_ count: Int, vector: (Int) -> Void, scalar: (Int) -> Void) {
    parallelRanges(count, grain: Self.elementwiseGrain) { range in
      var i = range.lowerBound
      while i + 8 <= range.upperBound {
        vector(i)
        i += 8
      }
      while i < range.upperBound {
        scalar(i)
        i += 1
      }
    }
  }
}
