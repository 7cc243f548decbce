import Devices

/// A product on a GPU: C (rows x columns), summed over `depth`, `batch` times.
package struct ProductShape: Hashable, Sendable {
  package var rows, columns, depth: Int
  package var batch = 1

  package init(rows: Int, columns: Int, depth: Int, batch: Int = 1) {
    (self.rows, self.columns, self.depth, self.batch) = (rows, columns, depth, batch)
  }

  package init(_ extents: (rows: Int, columns: Int, depth: Int)) {
    self.init(rows: extents.rows, columns: extents.columns, depth: extents.depth)
  }

  /// Additions and multiplications.
  package var operations: Int { 2 * rows * columns * depth * batch }
}

/// A tile, and in how many parts the depth is split.
package struct ProductPlan: Hashable, Codable, Sendable {
  package var tile: ProductTile
  package var splits = 1

  package init(tile: ProductTile, splits: Int = 1) { (self.tile, self.splits) = (tile, splits) }

  /// Depths of a part, a multiple of the tile's; and the parts that are left then.
  package func parts(_ depth: Int) -> (chunk: Int, count: Int) {
    let slices = max(1, (depth + tile.depth - 1) / tile.depth)
    let chunk = (slices + splits - 1) / splits * tile.depth
    return (chunk, max(1, (depth + chunk - 1) / chunk))
  }
}

extension ProductTile {
  /// Makers of GPUs whose products differ.
  package enum Vendor: String, CaseIterable, Sendable {
    case nvidia, amd, intel, arm, unknown

    /// CPU runtimes run these kernels in tests only, and count as unknown.
    package init(_ info: OpenCLDeviceInfo) {
      guard info.kind != .cpu else {
        self = .unknown
        return
      }
      let name = "\(info.vendor) \(info.platform)".lowercased()
      let known: [(String, Vendor)] = [
        ("nvidia", .nvidia), ("advanced micro", .amd), ("amd", .amd), ("intel", .intel), ("arm", .arm),
        ("qualcomm", .arm),
      ]
      self = known.first { name.contains($0.0) }?.1 ?? .unknown
    }
  }

  /// Shipped tiles, the one for large products first. They follow from resources, not from measurements on GPUs; registers
  /// are those that LLVM 15 with ptxas 12 (sm_80) or for AMD (gfx906, gfx1030, gfx90a) gave `matmul_gpu`, none spilled:
  /// - NVIDIA: 8 x 8 sums in 129 registers, of 255; 17 kB of local memory; 32 loads of 16 bytes for 512 multiply-adds. A
  ///   depth of 16 needs 136 registers.
  /// - AMD: groups of 256 or 64 are whole waves of 64; 101 to 166 registers, of 256. With a depth of 16 the 64 x 64 tile of
  ///   8 x 8 sums spilled on gfx90a.
  /// - Intel: 8 x 4 and 4 x 4 sums compile without spills for Skylake, Tiger Lake and Arc (ocloc 22.43); 8 x 8 sums spill up
  ///   to 4 kB.
  /// - Arm, Qualcomm: local memory is no faster than the cache, so that slices are short and tiles small.
  ///
  /// - Parameter copies: whether tiles of matrix units may be asynchronous.
  package static func shipped(
    for vendor: Vendor, _ precision: Precision = .fp32, copies: Bool = true
  ) -> [ProductTile] {
    guard precision == .fp32 else { return shipped(precision, copies: copies) }
    let narrow = [ProductTile(128, 32, 16, item: 8, 4), ProductTile(32, 32, 16, item: 4, 4)]
    switch vendor {
    case .nvidia:
      return [
        ProductTile(128, 128, 8, item: 8, 8), ProductTile(128, 64, 16, item: 8, 4),
        ProductTile(64, 64, 16, item: 4, 4),
      ] + narrow
    case .amd:
      return [
        ProductTile(128, 128, 8, item: 8, 8), ProductTile(64, 64, 8, item: 8, 8),
        ProductTile(64, 64, 16, item: 4, 4),
      ] + narrow
    case .intel:
      return [ProductTile(64, 64, 16, item: 8, 4), ProductTile(64, 32, 16, item: 4, 4)] + narrow.suffix(1)
    case .arm:
      return [ProductTile(32, 32, 8, item: 4, 4), ProductTile(16, 16, 8, item: 2, 2)].map {
        var tile = $0
        tile.stages = 1
        return tile
      }
    case .unknown:
      return [ProductTile(64, 64, 16, item: 4, 4)] + narrow.suffix(1)
    }
  }

  /// Shipped tiles of tensor cores. 8 x 16 values per item are tiles of 64 x 64 per warp, with the fewest local reads for a
  /// multiplication; 256 x 128 values per work group halve the reads of 128 x 64 from global memory, whose operands are
  /// float32. Copies have three slices; the largest tile has four of half the depth, which the 48 kB that NVIDIA's OpenCL
  /// gives a work group hold.
  private static func shipped(_ precision: Precision, copies: Bool) -> [ProductTile] {
    let depth = precision == .bf16 ? 32 : 16
    return [
      (256, 128, 8, 16), (128, 128, 8, 8), (128, 64, 8, 8), (64, 64, 4, 8), (128, 32, 4, 8), (32, 32, 4, 4),
    ].map {
      let isLargest = $0.0 == 256
      let tile = ProductTile($0.0, $0.1, copies && isLargest ? depth / 2 : depth, item: $0.2, $0.3, precision)
      return copies ? tile.with(stages: isLargest ? 4 : 3) : tile
    }
  }

  /// Time of a multiply-add beside that of the arithmetic: local reads, and on matrix units, which are so much faster,
  /// reads of global memory, too.
  private var readTime: Double {
    let local = 1 / Double(itemM) + 1 / Double(itemN), global = 1 / Double(m) + 1 / Double(n)
    return precision == .fp32 ? local : 6 * local + 150 * global
  }

  /// The rule that keeps a GPU busy: of the tiles that fit, the one with the least estimated time. Compute units take
  /// work groups in waves, and a wave lasts as long as one group: its multiply-adds, plus one for every local read that
  /// they need. The depth is split when not every unit would get a group, down to 8 slices of depth per part.
  package static func plan(
    _ shape: ProductShape, among tiles: [ProductTile], units: Int
  ) -> ProductPlan {
    var best: (plan: ProductPlan, cost: Double)?
    for tile in tiles {
      let groups =
        (shape.rows + tile.m - 1) / tile.m * ((shape.columns + tile.n - 1) / tile.n) * shape.batch
      let deepest = max(1, shape.depth / (8 * tile.depth))
      let splits =
        groups < units ? min(deepest, 64, (2 * units + groups - 1) / max(1, groups)) : 1
      let parts = ProductPlan(tile: tile, splits: splits).parts(shape.depth)
      let waves = Double((groups * parts.count + units - 1) / units)
      let work =
        Double(tile.m * tile.n) * Double(min(parts.chunk, shape.depth) + 2 * tile.depth) * (1 + tile.readTime)
      if best == nil || waves * work < best!.cost {
        best = (ProductPlan(tile: tile, splits: parts.count), waves * work)
      }
    }
    return best!.plan
  }
}

extension OpenCL {
  /// The tile of a product: what the tuner measured for shapes like it, else the shipped one.
  package func plan(_ shape: ProductShape, _ kind: ProductKind) -> ProductPlan {
    if let forced = ProductPlan.forced { return forced }
    if let tuned = TuningTable.of(self).plan(kind, shape), tuned.tile.fits(info),
      tuned.tile.precision == precision
    {
      return tuned
    }
    return shippedPlan(shape)
  }

  /// The plan without a tuner.
  package func shippedPlan(_ shape: ProductShape) -> ProductPlan {
    let tiles = ProductTile.shipped(
      for: .init(info), precision, copies: isEnabled(Self.asynchronousVariant))
    let fitting = tiles.filter { $0.fits(info) }
    return ProductTile.plan(shape, among: fitting.isEmpty ? [.smallest] : fitting, units: info.computeUnits)
  }

  /// The macros of a product with this tile, without copies where they are not possible; see
  /// ``ProductTile/macros(a:b:columns:)``.
  func macros(of tile: ProductTile, a: OperandLayout, b: OperandLayout, columns: Int) -> [String: Int] {
    let copies = isEnabled(Self.asynchronousVariant) && tile.canCopy(a: a, b: b)
    var macros = (copies ? tile : tile.withoutCopies).macros(a: a, b: b, columns: columns)
    if tile.precision != .fp32, matrixUnits == .emulated { macros["EMULATE_MMA"] = 1 }
    return macros
  }
}

extension ProductPlan {
  /// What every product runs with; for the tuner and for tests.
  @TaskLocal package static var forced: ProductPlan?
}

extension ProductTile {
  /// What a device with 16 items per group and 2 kB of local memory can run.
  package static let smallest: ProductTile = {
    var tile = ProductTile(16, 16, 4, item: 4, 4)
    (tile.stages, tile.unroll) = (1, 4)
    return tile
  }()
}

/// What the tuner tells apart: kernels that read their operands in different ways.
package enum ProductKind: String, Codable, CaseIterable, Sendable {
  case product
  case convolution
  case inputGradient = "input gradient"
  case weightGradient = "weight gradient"
}
