import Devices

/// The extent of a matrix over which a product sums.
enum Depths {
  case rows, columns
}

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

  /// A matrix (all extents but the last, the last) as a factor: as ``operand(_:)``, or with half as many depths, which
  /// are pairs of bfloat16, where products multiply pairs. An odd last depth is paired with 0.
  func factor(_ tensor: Tensor, summedOver depths: Depths) -> Tensor {
    guard multipliesPairs, let pairRows = kernels.pairRows, let pairColumns = kernels.pairColumns else {
      return operand(tensor)
    }
    var extents = tensor.shape.dimensions
    let halved = extents.count - (depths == .rows ? 2 : 1)
    let (columns, rows) = (extents.last!, extents.dropLast().reduce(1, *))
    extents[halved] = (extents[halved] + 1) / 2
    let shape = Shape(extents)
    let pairs = tensor.buffer.derived("pairs of \(depths)") {
      let buffer = makeBuffer(byteCount: max(4, shape.count * 4))
      buffer.keepsDerivedForms = tensor.buffer.keepsDerivedForms
      let (x, pairs) = (tensor.pointer, buffer.address.assumingMemoryBound(to: Float.self))
      let step = depths == .rows ? 2 : 1
      parallelRanges((rows + step - 1) / step, grain: max(1, (1 << 14) / max(1, columns))) { range in
        let source = x + range.lowerBound * step * columns
        let count = min(rows, range.upperBound * step) - range.lowerBound * step
        let target = pairs + range.lowerBound * extents.last!
        (depths == .rows ? pairRows : pairColumns)(source, count, columns, target)
      }
      return buffer
    }
    return Tensor(shape: shape, buffer: pairs)
  }

  /// Images and weights of a convolution as factors: in pairs of channels where products multiply pairs and C is even.
  /// Not for Winograd's algorithm, whose transforms are of floats.
  func factors(
    _ x: Tensor, _ weights: Tensor, _ g: ConvolutionGeometry
  ) throws -> (x: Tensor, weights: Tensor, geometry: ConvolutionGeometry) {
    guard multipliesPairs, g.c % 2 == 0, !usesWinograd(g) else {
      return (operand(x), operand(weights), g)
    }
    let (x, weights) = (factor(x, summedOver: .columns), factor(weights, summedOver: .rows))
    return (x, weights, try g.paired(images: x.shape, weights: weights.shape))
  }

  /// As ``factors(_:_:_:)`` for dx, which sums over K; not where the lanes of vectors do.
  func gradientFactors(
    _ dy: Tensor, _ weights: Tensor, _ g: ConvolutionGeometry
  ) throws -> (dy: Tensor, weights: Tensor, geometry: ConvolutionGeometry) {
    let sumsLanes = g.gathersInputGradient(vector: kernels.panelWidth / 2)
    guard multipliesPairs, g.k % 2 == 0, !usesWinograd(g), !sumsLanes else {
      return (operand(dy), operand(weights), g)
    }
    let (dy, weights) = (factor(dy, summedOver: .columns), factor(weights, summedOver: .columns))
    return (dy, weights, try g.paired(images: g.imageShape, weights: weights.shape))
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
