import Devices

/// How the GPU-shaped products divide their work: the macros of Kernels/product_gpu.cl.
package struct ProductTile: Hashable, Codable, Sendable {
  /// Rows and columns of C that a work group computes, and the depths of one slice in local memory.
  package var m, n, depth: Int
  /// Rows and columns of C that an item keeps in registers.
  package var itemM, itemN: Int
  /// Most values of one global load: 1, 2 or 4, of bfloat16 also 8.
  package var vector = 4
  /// Depths per step of the inner loop.
  package var unroll = 8
  /// Floats between the rows of a slice, a multiple of 4.
  package var padding = 4
  /// Slices in local memory, 1 or 2; on matrix units also 3 or 4, to which they are copied without registers.
  package var stages = 2
  /// Of the operands. With less than float32 the product runs on matrix units, where 32 items compute a tile of
  /// 8 x ``itemM`` times 4 x ``itemN`` values together.
  package let precision: Precision

  package init(
    _ m: Int, _ n: Int, _ depth: Int, item itemM: Int, _ itemN: Int, _ precision: Precision = .fp32
  ) {
    (self.m, self.n, self.depth, self.itemM, self.itemN) = (m, n, depth, itemM, itemN)
    self.precision = precision
    if isOfMatrixUnits { padding = 0 }
    if precision == .bf16 { vector = 8 }
  }

  private var isOfMatrixUnits: Bool { precision != .fp32 }

  /// Whether slices are copied to local memory without registers, while several others are under way.
  package var isAsynchronous: Bool { stages > 2 }

  /// This tile with so many slices in local memory.
  package func with(stages: Int) -> ProductTile {
    var tile = self
    tile.stages = stages
    return tile
  }

  /// Work items of a group.
  package var items: Int { m / itemM * (n / itemN) }
  /// Bytes of local memory of a group.
  package var localBytes: Int {
    stages * depth * (m + n + 2 * padding) * (precision == .bf16 ? 2 : 4)
  }
  /// An estimate of an item's registers: its sums, the operands of one step, the loads of the next slice and their
  /// places, and 24 for addresses and counters. On matrix units loads have up to 16 bytes and one place; copies save them,
  /// but ``withoutCopies`` may take their place.
  package var registers: Int {
    let loads = (m + n) * depth / max(1, items)
    return itemM * itemN + 24
      + (isOfMatrixUnits
        ? 2 * itemM + itemN + (precision == .bf16 ? loads * 5 / 8 : loads * 5 / 4)
        : itemM + itemN + 2 * loads)
  }

  /// Whether a device can run it. More than 224 registers would be spilled to memory on every GPU known.
  package func fits(_ info: OpenCLDeviceInfo) -> Bool {
    isValid && items <= info.maximumWorkGroup && localBytes <= info.localMemory && registers <= 224
  }

  /// Whether all divisions of the kernel leave no rest, whatever the width of loads and their direction.
  package var isValid: Bool {
    let powers = [m, n, depth, itemM, itemN, unroll, vector]
    guard powers.allSatisfy({ $0 > 0 && $0 & ($0 - 1) == 0 }), 1...(isOfMatrixUnits ? 4 : 2) ~= stages,
      vector <= (precision == .bf16 ? 8 : 4), itemM <= m,
      itemN <= n,
      depth % unroll == 0, padding >= 0, padding % 4 == 0, itemM <= 16, itemN <= 16, m <= 256, n <= 256
    else { return false }
    if isOfMatrixUnits {
      guard m % (8 * itemM) == 0, n % (4 * itemN) == 0, itemM >= 2, itemN >= 4, padding == 0, unroll == 8,
        depth >= (precision == .bf16 ? 16 : 8)
      else { return false }
    }
    return [m, n].allSatisfy { extent in
      [true, false].allSatisfy { loads(extent, vector: 1, along: $0) != nil }
    }
  }

  /// Loads per item and slice of an operand with `extent` rows or columns; nil where items and loads do not match.
  private func loads(_ extent: Int, vector: Int, along: Bool) -> Int? {
    let line = (along ? extent : depth) / vector
    guard line > 0, items % line == 0, extent * depth % (vector * items) == 0 else { return nil }
    return extent * depth / (vector * items)
  }

  /// The widest loads, up to `limit` and ``vector``, that items and loads allow.
  func vectorWidth(_ extent: Int, limit: Int, along: Bool) -> Int {
    [8, 4, 2].first { $0 <= min(limit, vector) && loads(extent, vector: $0, along: along) != nil } ?? 1
  }

  /// The tile that computes the same where slices cannot be copied without registers.
  var withoutCopies: ProductTile { isAsynchronous ? with(stages: 2) : self }

  /// Whether loads of these operands have at least the four bytes that a copy without registers takes.
  func canCopy(a: OperandLayout, b: OperandLayout) -> Bool {
    let narrowest = min(
      vectorWidth(m, limit: a.widest, along: a.along), vectorWidth(n, limit: b.widest, along: b.along))
    return narrowest * (precision == .bf16 ? 2 : 4) >= 4
  }

  /// Values in a run of C that an item writes together.
  private var run: Int { isOfMatrixUnits ? 2 : [4, 2].first { itemN % $0 == 0 } ?? 1 }

  /// The macros of a program for operands with these properties.
  /// - Parameters:
  ///   - a: how rows of A are read; `widest` divides extents, strides and offsets of A.
  ///   - columns: columns of C.
  func macros(a: OperandLayout, b: OperandLayout, columns: Int) -> [String: Int] {
    [
      "TILE_M": m, "TILE_N": n, "TILE_K": depth, "ITEM_M": itemM, "ITEM_N": itemN, "PAD": padding,
      "STAGES": stages, "UNROLL": unroll, "ITEMS": items, "A_ALONG": a.along ? 1 : 0,
      "B_ALONG": b.along ? 1 : 0, "VECTOR_A": vectorWidth(m, limit: a.widest, along: a.along),
      "VECTOR_B": vectorWidth(n, limit: b.widest, along: b.along),
      "VECTOR_C": columns % run == 0 ? run : 1,
    ].merging(isOfMatrixUnits ? ["OPERAND_BITS": precision.bits] : [:]) { $1 }
  }

  /// Work items per dimension for so many rows and columns of C, in so many layers, and a group's.
  func range(rows: Int, columns: Int, layers: Int = 1) -> (global: [Int], local: [Int]) {
    let tiles = ((rows + m - 1) / m) * ((columns + n - 1) / n)
    return ([items * tiles, 1, layers], [items, 1, 1])
  }
}

/// How an operand of a product lies in memory.
struct OperandLayout: Equatable {
  /// Whether neighbours are rows of A or columns of B; else neighbours along the depth.
  let along: Bool
  /// The largest of 1, 2, 4 and 8 that divides every extent and stride, so that loads of so many values are aligned and
  /// lie inside.
  let widest: Int

  /// - Parameter divisible: extents and strides that a load must not cross.
  init(along: Bool, divisible: [Int]) {
    self.along = along
    widest = [8, 4, 2].first { width in divisible.allSatisfy { $0 % width == 0 } } ?? 1
  }
}
