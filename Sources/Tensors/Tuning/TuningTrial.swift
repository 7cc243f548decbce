import Devices
import FileFormats

/// A case with its operands on a device: runs it, and knows what it should compute.
struct TuningTrial {
  let device: OpenCL
  let tuningCase: TuningCase
  private let operands: [[Float]]
  private let tensors: [Tensor]

  init(_ tuningCase: TuningCase, on device: OpenCL) throws {
    (self.tuningCase, self.device) = (tuningCase, device)
    let shapes: [Shape] =
      switch tuningCase {
      case .product(let s, _, _): [[s.batch, s.rows, s.depth], [s.batch, s.depth, s.columns]]
      case .convolution(.forward, let g): [g.imageShape, g.weightShape]
      case .convolution(.inputGradient, let g): [g.outputShape, g.weightShape]
      case .convolution(.weightGradient, let g): [g.imageShape, g.outputShape]
      }
    operands = shapes.enumerated().map { number, shape in
      // Multiplicative hashing: values in [-1, 1) without a pattern that a wrong index could hide in.
      (0..<shape.count).map { i in
        Float(Int32(truncatingIfNeeded: (UInt64(i + 1) &* 0x9E37_79B9_7F4A_7C15) >> UInt64(20 + number)))
          * 0x1p-31
      }
    }
    tensors = try zip(operands, shapes).map { try Tensor($0, shape: $1, on: .openCL(device)) }
    tensors[1].buffer.keepsDerivedForms = true
  }

  /// Queues the case once.
  func run() throws -> Tensor {
    switch tuningCase {
    case .product(let s, let ta, let tb):
      let c = try Tensor(uninitialized: [s.batch, s.rows, s.columns], on: .openCL(device))
      let (a, b) = (
        (ta ? (1, s.rows) : (s.depth, 1)) as (Int, Int), (tb ? (1, s.depth) : (s.columns, 1)) as (Int, Int)
      )
      try device.multiplyGPU(
        StridedMatrix(tensors[0].buffer, rowStride: a.0, columnStride: a.1, batchStride: s.rows * s.depth),
        StridedMatrix(tensors[1].buffer, rowStride: b.0, columnStride: b.1, batchStride: s.depth * s.columns),
        s,
        into: c.buffer)
      return c
    case .convolution(.forward, let g): return try Convolution(geometry: g)(tensors[0], tensors[1])
    case .convolution(.inputGradient, let g):
      return try Convolution.InputGradient(geometry: g)(tensors[0], tensors[1])
    case .convolution(.weightGradient, let g):
      return try Convolution.WeightGradient(geometry: g)(tensors[0], tensors[1])
    }
  }

  /// Largest share of ``tolerance(_:)`` by which sampled values differ from sums in Double: all corners and 64 others.
  func errorOfSamples(_ result: [Float]) -> Double {
    let sampler = CaseReference(tuningCase, operands.map { $0.map(device.precision.rounded) })
    let last = result.count - 1
    let row = sampler.rowLength
    var indices = [0, last, min(row - 1, last), max(0, last - row + 1)]
    indices += (1...64).map { Int(UInt64($0) &* 0x9E37_79B9_7F4A_7C15 % UInt64(result.count)) }
    return indices.map { index in
      let (value, magnitude) = sampler.sum(index)
      return abs(Double(result[index]) - value) / (tolerance(magnitude) + 1e-30)
    }.max()!
  }

  /// What rounding of a sum in any order, or of Winograd's transforms, may change: the bound of the tests.
  func tolerance(_ magnitude: Double) -> Double {
    (2 * Double(tuningCase.shape.depth).squareRoot() + 68) * 0x1p-23 * magnitude
  }
}

/// Single values of a case in Double.
private struct CaseReference {
  private let tuningCase: TuningCase
  private let a: [Float], b: [Float]

  init(_ tuningCase: TuningCase, _ operands: [[Float]]) {
    self.tuningCase = tuningCase
    (a, b) = (operands[0], operands[1])
  }

  /// Values in the innermost dimension of the result.
  var rowLength: Int {
    switch tuningCase {
    case .product(let s, _, _): s.columns
    case .convolution(.inputGradient, let g): g.c
    case .convolution(_, let g): g.k
    }
  }

  /// The value and the sum of the magnitudes that it adds up.
  func sum(_ index: Int) -> (value: Double, magnitude: Double) {
    var (value, magnitude) = (0.0, 0.0)
    func add(_ i: Int, _ j: Int) {
      let product = Double(a[i]) * Double(b[j])
      value += product
      magnitude += abs(product)
    }
    switch tuningCase {
    case .product(let s, let ta, let tb):
      let (layer, i, j) = (
        index / (s.rows * s.columns), index / s.columns % s.rows, index % s.columns
      )
      for d in 0..<s.depth {
        add(
          layer * s.rows * s.depth + (ta ? d * s.rows + i : i * s.depth + d),
          layer * s.depth * s.columns + (tb ? j * s.depth + d : d * s.columns + j))
      }
    case .convolution(.forward, let g): forward(g, index, add)
    case .convolution(.inputGradient, let g): inputGradient(g, index, add)
    case .convolution(.weightGradient, let g): weightGradient(g, index, add)
    }
    return (value, magnitude)
  }

  private func forward(_ g: ConvolutionGeometry, _ index: Int, _ add: (Int, Int) -> Void) {
    let (k, pixel) = (index % g.k, index / g.k)
    let (x, y) = (pixel % g.outputWidth, pixel / g.outputWidth % g.outputHeight)
    let image = pixel / g.outputWidth / g.outputHeight
    for r in 0..<g.r {
      for s in 0..<g.s {
        let (row, column) = (y * g.stride + r - g.padding, x * g.stride + s - g.padding)
        guard (0..<g.h).contains(row), (0..<g.w).contains(column) else { continue }
        for c in 0..<g.c {
          add(((image * g.h + row) * g.w + column) * g.c + c, ((r * g.s + s) * g.c + c) * g.k + k)
        }
      }
    }
  }

  private func inputGradient(_ g: ConvolutionGeometry, _ index: Int, _ add: (Int, Int) -> Void) {
    let (c, pixel) = (index % g.c, index / g.c)
    let (x, y, image) = (pixel % g.w, pixel / g.w % g.h, pixel / g.w / g.h)
    for r in 0..<g.r {
      for s in 0..<g.s {
        let (row, column) = (y + g.padding - r, x + g.padding - s)
        guard row >= 0, column >= 0, row % g.stride == 0, column % g.stride == 0,
          row / g.stride < g.outputHeight, column / g.stride < g.outputWidth
        else { continue }
        let output = (image * g.outputHeight + row / g.stride) * g.outputWidth + column / g.stride
        for k in 0..<g.k { add(output * g.k + k, ((r * g.s + s) * g.c + c) * g.k + k) }
      }
    }
  }

  private func weightGradient(_ g: ConvolutionGeometry, _ index: Int, _ add: (Int, Int) -> Void) {
    let (k, c, tap) = (index % g.k, index / g.k % g.c, index / g.k / g.c)
    for pixel in 0..<g.n * g.outputHeight * g.outputWidth {
      let (x, y) = (pixel % g.outputWidth, pixel / g.outputWidth % g.outputHeight)
      let image = pixel / g.outputWidth / g.outputHeight
      let (row, column) = (y * g.stride + tap / g.s - g.padding, x * g.stride + tap % g.s - g.padding)
      guard (0..<g.h).contains(row), (0..<g.w).contains(column) else { continue }
      add(((image * g.h + row) * g.w + column) * g.c + c, pixel * g.k + k)
    }
  }
}
