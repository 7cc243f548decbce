import Devices

/// One product or convolution to tune.
package enum TuningCase: Hashable, Sendable, CustomStringConvertible {
  /// A product; whether A and B are stored transposed.
  case product(ProductShape, transposeA: Bool = false, transposeB: Bool = false)
  case convolution(Convolution.Direction, ConvolutionGeometry)

  package var kind: ProductKind {
    switch self {
    case .product: .product
    case .convolution(.forward, _): .convolution
    case .convolution(.inputGradient, _): .inputGradient
    case .convolution(.weightGradient, _): .weightGradient
    }
  }

  package var shape: ProductShape {
    switch self {
    case .product(let shape, _, _): shape
    case .convolution(_, let g): g.shape(kind)
    }
  }

  package var key: TuningTable.Key { .init(kind, shape) }

  package var description: String {
    switch self {
    case .product(let shape, let ta, let tb):
      return "product \(shape.rows)x\(shape.columns)x\(shape.depth)"
        + (shape.batch > 1 ? " x\(shape.batch)" : "")
        + (ta ? " A^T" : "") + (tb ? " B^T" : "")
    case .convolution(let direction, let g):
      return "conv \(direction.rawValue) \(g.n)x\(g.c)x\(g.h)x\(g.w) \(g.r)x\(g.s)x\(g.k) stride \(g.stride)"
    }
  }
}

/// The convolutions and linear layers that ran while it was ``Workload/recorder``.
package final class Workload: @unchecked Sendable {
  /// Notes what runs in this task; for one thread.
  @TaskLocal package static var recorder: Workload?

  private var geometries: [ConvolutionGeometry] = []
  private var layers: [(inputs: Int, outputs: Int)] = []

  package init() {}

  func add(_ geometry: ConvolutionGeometry) { geometries.append(geometry) }
  func addLinear(inputs: Int, outputs: Int) { layers.append((inputs, outputs)) }

  /// Everything that a training step and an attack run on batches of `batchSize`, one case per class of shapes; the batched
  /// products of Winograd's algorithm before the convolutions that may use them.
  /// - Parameter precision: Winograd's algorithm runs with float32 only.
  package func cases(batchSize: Int, _ precision: Precision = .fp32) throws -> [TuningCase] {
    let all = try geometries.map {
      try ConvolutionGeometry(
        images: [batchSize, $0.h, $0.w, $0.c], weights: $0.weightShape, stride: $0.stride, padding: $0.padding
      )
    }
    let linear = layers.flatMap { layer -> [TuningCase] in
      let (c, k) = (layer.inputs, layer.outputs)
      return [
        .product(ProductShape(rows: batchSize, columns: k, depth: c)),
        .product(ProductShape(rows: batchSize, columns: c, depth: k), transposeB: true),
        .product(ProductShape(rows: c, columns: k, depth: batchSize), transposeA: true),
      ]
    }
    var seen: Set<TuningTable.Key> = []
    let winograd = precision == .fp32 ? all.flatMap(Self.winogradProducts) : []
    return (winograd + all.flatMap(Self.directions) + linear).filter {
      seen.insert($0.key).inserted
    }
  }

  /// The three directions; pointwise convolutions are products.
  private static func directions(_ g: ConvolutionGeometry) -> [TuningCase] {
    guard g.isPointwise else { return Convolution.Direction.allCases.map { .convolution($0, g) } }
    let pixels = g.n * g.h * g.w
    return [
      .product(g.productShape), .product(g.weightGradientShape, transposeA: true),
      .product(ProductShape(rows: pixels, columns: g.c, depth: g.k), transposeB: true),
    ]
  }

  private static func winogradProducts(_ g: ConvolutionGeometry) -> [TuningCase] {
    guard g.canUseWinograd, min(g.c, g.k) >= Tuner.leastWinogradChannels else { return [] }
    let grid = WinogradGrid(g, g.bestWinogradExtent)
    return [
      .product(ProductShape(rows: grid.tiles, columns: g.k, depth: g.c, batch: grid.points)),
      .product(ProductShape(rows: grid.tiles, columns: g.c, depth: g.k, batch: grid.points)),
      .product(
        ProductShape(rows: g.c, columns: g.k, depth: grid.tiles, batch: grid.points), transposeA: true),
    ]
  }
}
