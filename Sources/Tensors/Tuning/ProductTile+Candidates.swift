import Devices

extension ProductTile {
  /// The tiles that the tuner measures on a device: the shipped ones of every maker, and unless `quick` more shapes of tiles
  /// with 64 to 256 items. Fine settings follow for the best of them; see ``ProductPlan/refinements``.
  /// - Parameter copies: whether asynchronous tiles are among them.
  package static func candidates(
    on info: OpenCLDeviceInfo, _ precision: Precision = .fp32, quick: Bool, copies: Bool = true
  ) -> [ProductTile] {
    let shipped =
      precision == .fp32
      ? Vendor.allCases.flatMap { Self.shipped(for: $0) } + [.smallest]
      : [true, false].flatMap { Self.shipped(for: .nvidia, precision, copies: $0) }
    var seen: Set<ProductTile> = []
    return (shipped + (quick ? [] : precision == .fp32 ? grid : matrixGrid(precision)))
      .filter { $0.fits(info) && (copies || !$0.isAsynchronous) && seen.insert($0).inserted }
  }

  private static let grid: [ProductTile] = {
    let shapes = [
      (128, 128, 8, 8), (128, 64, 8, 8), (64, 128, 8, 8), (128, 64, 8, 4), (64, 64, 8, 8), (64, 64, 8, 4),
      (64, 64, 4, 4), (128, 32, 8, 4), (32, 128, 4, 8), (64, 32, 4, 4), (32, 64, 4, 4), (32, 32, 4, 4),
      (32, 32, 2, 2), (16, 16, 2, 2),
    ]
    return [16, 8].flatMap { depth in shapes.map { ProductTile($0.0, $0.1, depth, item: $0.2, $0.3) } }
  }()

  private static func matrixGrid(_ precision: Precision) -> [ProductTile] {
    let shapes = [
      (256, 128, 8, 8), (128, 256, 8, 16), (128, 256, 8, 8), (256, 64, 8, 16), (256, 64, 8, 8),
      (128, 128, 8, 16),
      (128, 128, 4, 16), (64, 128, 4, 8), (64, 256, 8, 16), (128, 64, 4, 8), (64, 64, 8, 8), (64, 32, 4, 4),
      (32, 64, 4, 4), (64, 64, 4, 4),
    ]
    let depths = precision == .bf16 ? [32, 16, 64] : [16, 32, 8]
    return depths.flatMap { depth in
      shapes.flatMap { shape in
        [3, 2].map {
          ProductTile(shape.0, shape.1, depth, item: shape.2, shape.3, precision).with(stages: $0)
        }
      }
    }
  }
}

extension ProductPlan {
  /// Single changes that the tuner tries in this order, each on the best plan so far.
  package static let refinements: [@Sendable (ProductPlan) -> ProductPlan] = [
    { $0.with { $0.tile.stages = [1: 2, 2: 1, 3: 4, 4: 3][$0.tile.stages]! } },
    { $0.with { $0.tile.padding = 4 - $0.tile.padding } },
    { $0.with { $0.splits *= 2 } }, { $0.with { $0.splits = max(1, $0.splits / 2) } },
    { $0.with { $0.splits *= 4 } }, { $0.with { $0.splits = 1 } },
    { $0.with { $0.tile.unroll = min(4, $0.tile.depth) } },
    { $0.with { $0.tile.unroll = $0.tile.depth } }, { $0.with { $0.tile.unroll = 2 } },
    { $0.with { $0.tile.depth *= 2 } }, { $0.with { $0.tile.vector = 2 } },
    { $0.with { $0.tile.vector = 1 } },
  ]

  private func with(_ change: (inout ProductPlan) -> Void) -> ProductPlan {
    var plan = self
    change(&plan)
    return plan
  }
}
