import Devices

extension CPU {
  /// A tensor as products read it on this device: itself, or rounded to bfloat16. The rounded form of a parameter is
  /// kept until the parameter changes, and so are the packed forms that are made of it.
  func operand(_ tensor: Tensor) -> Tensor {
    guard precision == .bf16 else { return tensor }
    let count = tensor.shape.count
    let rounded = tensor.buffer.derived("bfloat16") {
      let buffer = makeBuffer(byteCount: max(4, count * 4))
      buffer.keepsDerivedForms = tensor.buffer.keepsDerivedForms
      roundToBFloat16(tensor.pointer, count, into: buffer.address.assumingMemoryBound(to: Float.self))
      return buffer
    }
    return Tensor(shape: tensor.shape, buffer: rounded)
  }

  /// Rounds to the nearest bfloat16, ties to even. NaN stays NaN and infinities stay as they are.
  package func roundToBFloat16(_ x: UnsafePointer<Float>, _ count: Int, into y: UnsafeMutablePointer<Float>) {
    elementwise(count) { i in
      let value = SIMD8(at: x + i)
      let bits = unsafeBitCast(value, to: SIMD8<UInt32>.self)
      let even = (bits &>> 16) & 1
      let rounded = unsafeBitCast((bits &+ 0x7FFF &+ even) & 0xFFFF_0000, to: SIMD8<Float>.self)
      value.replacing(with: rounded, where: value .== value).store(to: y + i)
    } scalar: { i in
      let bits = x[i].bitPattern
      y[i] = x[i].isNaN ? x[i] : Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
    }
  }
}
