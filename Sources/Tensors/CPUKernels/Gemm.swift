import Devices

/// The left operand of a product as it lies in memory: rows or columns contiguous.
struct LeftMatrix {
  let pointer: UnsafePointer<Float>
  /// Distance between rows (`transposed`: between columns, which then are contiguous runs of rows).
  let stride: Int
  let transposed: Bool
}

/// What happens to a finished result, in this order.
struct Epilogue {
  /// A value per column that is added.
  var bias: UnsafePointer<Float>?
  var relu = false
  /// Laid out as the result; where it is not positive the result is 0. This is the gradient of a ReLU whose
  /// output the mask is.
  var mask: UnsafePointer<Float>?
  /// Whether the result is stored past the caches, because it is larger than they are.
  var streamed = false

  /// Whether results are stored as they are.
  var isPlain: Bool { bias == nil && !relu && mask == nil }

  /// The epilogue of the part of a result that starts at a column and an offset.
  func part(column: Int, offset: Int) -> Epilogue {
    Epilogue(bias: bias.map { $0 + column }, relu: relu, mask: mask.map { $0 + offset }, streamed: streamed)
  }
}

extension CPU {
  /// C (rows x columns, contiguous) = A * B, then the epilogue.
  ///
  /// Tasks are blocks of rows by at most 1024 columns; large ones come first, so that all threads end together.
  /// Each element of C is summed in an order that depends on neither the tasks nor the threads.
  func multiply(
    _ a: LeftMatrix, _ b: PackedMatrix, rows: Int, into c: UnsafeMutablePointer<Float>,
    epilogue: Epilogue = Epilogue()
  ) {
    let parts = max(1, (b.columns + 1023) / 1024)
    let tileRows = kernels.repeated?.rows ?? kernels.tileRows
    let largest = max(96, (kernels.repeated == nil ? 12 : 16) * tileRows)
    let ranges = guidedRanges(rows, largest: largest, multiple: tileRows)
    var epilogue = epilogue
    epilogue.streamed = b.blocks == 1 && streams(c, rows: rows, columns: b.columns)
    let tile = TileProduct(self, byColumns: a.transposed, pairs: b.isPaired)
    parallel(ranges.count * parts) { task in
      let part = task % parts
      multiplyBlock(
        tile, a, b, rows: ranges[task / parts],
        panels: part * b.panels / parts..<(part + 1) * b.panels / parts, into: c, epilogue: epilogue)
    }
  }

  /// Whether a result is stored past the caches: it would not fit them, and every store fills whole cache lines.
  func streams(_ result: UnsafeMutablePointer<Float>, rows: Int, columns: Int) -> Bool {
    let fillsLines = UInt(bitPattern: result) % 64 == 0 && columns % kernels.panelWidth == 0
    return fillsLines && rows * columns >= 1 << 22
  }

  /// Splits 0..<count for all threads into ranges that get smaller towards the end.
  private func guidedRanges(_ count: Int, largest: Int, multiple: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    while start < count {
      let share = (count - start + 2 * threads - 1) / (2 * threads)
      let size = min(largest, (share + multiple - 1) / multiple * multiple)
      ranges.append(start..<min(count, start + max(size, 2 * multiple)))
      start = ranges.last!.upperBound
    }
    // Each thread begins with its own part of the tasks: large and small ones for all.
    return (0..<threads).flatMap { first in
      stride(from: first, to: ranges.count, by: threads).map { ranges[$0] }
    }
  }

  /// The part of ``multiply(_:_:rows:into:epilogue:)`` for some rows and panels.
  func multiplyBlock(
    _ tile: TileProduct, _ a: LeftMatrix, _ b: PackedMatrix, rows: Range<Int>, panels: Range<Int>,
    into c: UnsafeMutablePointer<Float>, epilogue: Epilogue
  ) {
    if let kernels = kernels.repeated {
      return RepeatedProduct(cpu: self, kernels: kernels, b: b, rows: rows, panels: panels)(
        a, into: c, epilogue: epilogue)
    }
    let copy = a.needsCopy(panels.count) ? makeBuffer(byteCount: rows.count * (b.depthBlock + 16) * 4) : nil
    for block in 0..<b.blocks {
      let (first, depth) = (block * b.depthBlock, b.depths(ofBlock: block))
      let row = rows.lowerBound
      let left = a.part(rows, first..<first + depth, copy: copy, on: self)
      for panel in panels {
        let column = panel * b.panelWidth
        let offset = row * b.columns + column
        tile(
          segments: 1, depth: depth, left.pointer, segmentStride: 0, stride: left.stride,
          b.panel(panel, block: block),
          into: OutputTile(
            pointer: c + offset, rowStride: b.columns, rows: rows.count,
            columns: min(b.panelWidth, b.columns - column), accumulate: block > 0),
          block == b.blocks - 1 ? epilogue.part(column: column, offset: offset) : Epilogue())
      }
    }
    withExtendedLifetime(copy) {}
  }
}

extension LeftMatrix {
  /// Whether a block of rows is copied before it is multiplied with so many panels: always into tiles if
  /// transposed, else where rows lie a multiple of 1 KB apart and so share cache sets.
  func needsCopy(_ panels: Int) -> Bool { transposed || stride % 256 == 0 && panels >= 24 }

  /// Rows and depths of a block as the micro-kernel reads them, and the distance between its rows.
  func part(
    _ rows: Range<Int>, _ depths: Range<Int>, copy: Buffer?, on cpu: CPU
  ) -> (pointer: UnsafePointer<Float>, stride: Int) {
    guard let target = copy?.address.assumingMemoryBound(to: Float.self) else {
      return (pointer + rows.lowerBound * stride + depths.lowerBound, stride)
    }
    if transposed {
      cpu.kernels.gatherTiles(
        pointer + depths.lowerBound * stride, rows.lowerBound, rows.count, rows.upperBound, 0, 1, 0,
        depths.count, stride, target, depths.count, 0)
      return (UnsafePointer(target), 0)
    }
    let copyStride = depths.count + 16
    let start = pointer + rows.lowerBound * stride + depths.lowerBound
    for i in 0..<rows.count {
      (target + i * copyStride).update(from: start + i * stride, count: depths.count)
    }
    return (UnsafePointer(target), copyStride)
  }
}

/// The part of C that one call of a micro-kernel fills: at most a panel wide.
struct OutputTile {
  let pointer: UnsafeMutablePointer<Float>
  let rowStride: Int
  let rows: Int
  let columns: Int
  let accumulate: Bool
}

/// The product of a micro-kernel for tiles of any width.
struct TileProduct {
  private let product: MicroKernels.Product
  private let panelWidth: Int
  private let pairs: Bool

  /// - Parameters:
  ///   - byColumns: whether the rows of A lie next to each other, rather than the depths.
  ///   - pairs: whether the operands are pairs of bfloat16.
  init(_ cpu: CPU, byColumns: Bool = false, pairs: Bool) {
    self.pairs = pairs
    product = byColumns ? cpu.kernels.productByColumns : cpu.kernels.productByRows
    panelWidth = cpu.kernels.panelWidth
  }

  /// Fills a tile. One that is narrower than a panel is computed aside and copied.
  @inline(__always)
  func callAsFunction(
    segments: Int, depth: Int, _ a: UnsafePointer<Float>, segmentStride: Int, stride: Int,
    _ b: UnsafePointer<Float>, into c: OutputTile, _ epilogue: Epilogue
  ) {
    guard c.columns < panelWidth else {
      product(
        1, 0, 0, 0, c.rows, segments, depth, a, segmentStride, stride, b, panelWidth, c.pointer, c.rowStride,
        c.accumulate, epilogue.bias, epilogue.relu, epilogue.mask, epilogue.streamed, pairs, a, 0)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, c.rows * panelWidth)) { aside in
      let aside = aside.baseAddress!
      product(
        1, 0, 0, 0, c.rows, segments, depth, a, segmentStride, stride, b, panelWidth, aside, panelWidth,
        false, nil, false, nil, false, pairs, a, 0)
      finish(aside, c, epilogue)
    }
  }

  private func finish(_ aside: UnsafePointer<Float>, _ c: OutputTile, _ epilogue: Epilogue) {
    for i in 0..<c.rows {
      for j in 0..<c.columns {
        let at = i * c.rowStride + j
        let sum = (c.accumulate ? c.pointer[at] : 0) + aside[i * panelWidth + j] + (epilogue.bias?[j] ?? 0)
        let isZero = epilogue.relu && sum < 0 || (epilogue.mask.map { !($0[at] > 0) } ?? false)
        c.pointer[at] = isZero ? 0 : sum
      }
    }
  }
}
