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

  /// The epilogue of the part of a result that starts at a column and an offset.
  func part(column: Int, offset: Int) -> Epilogue {
    Epilogue(bias: bias.map { $0 + column }, relu: relu, mask: mask.map { $0 + offset })
  }
}

extension CPU {
  /// C (rows x columns, contiguous) = A * B, then the epilogue.
  ///
  /// Tasks are blocks of rows by blocks of 256 columns, so that a block of B stays in the second-level cache.
  /// Each element of C is summed in an order that depends on neither the tasks nor the threads.
  func multiply(
    _ a: LeftMatrix, _ b: PackedMatrix, rows: Int, into c: UnsafeMutablePointer<Float>,
    epilogue: Epilogue = Epilogue()
  ) {
    let panelsPerTask = max(1, 256 / b.panelWidth)
    let columnTasks = (b.panels + panelsPerTask - 1) / panelsPerTask
    let wanted = (rows * columnTasks + threads * 4 - 1) / (threads * 4)
    let rowsPerTask = min(96, (wanted + 11) / 12 * 12)
    let rowTasks = (rows + rowsPerTask - 1) / rowsPerTask
    let tile = TileProduct(self, byColumns: a.transposed)
    parallel(rowTasks * columnTasks) { task in
      let firstPanel = task / rowTasks * panelsPerTask
      let firstRow = task % rowTasks * rowsPerTask
      multiplyBlock(
        tile, a, b, rows: firstRow..<min(rows, firstRow + rowsPerTask),
        panels: firstPanel..<min(b.panels, firstPanel + panelsPerTask), into: c, epilogue: epilogue)
    }
  }

  private func multiplyBlock(
    _ tile: TileProduct, _ a: LeftMatrix, _ b: PackedMatrix, rows: Range<Int>, panels: Range<Int>,
    into c: UnsafeMutablePointer<Float>, epilogue: Epilogue
  ) {
    // Rows that a multiple of 1 KB separates share cache sets: they are copied side by side.
    let isCopied = !a.transposed && a.stride % 256 == 0 && panels.count >= 4
    let copyStride = b.depthBlock + 16
    let copy = isCopied ? makeBuffer(byteCount: rows.count * copyStride * 4) : nil
    for block in 0..<b.blocks {
      let (first, depth) = (block * b.depthBlock, b.depths(ofBlock: block))
      let row = rows.lowerBound
      var start = a.pointer + (a.transposed ? first * a.stride + row : row * a.stride + first)
      if let copy {
        let target = copy.address.assumingMemoryBound(to: Float.self)
        for i in 0..<rows.count {
          (target + i * copyStride).update(from: start + i * a.stride, count: depth)
        }
        start = UnsafePointer(target)
      }
      for panel in panels {
        let column = panel * b.panelWidth
        let offset = row * b.columns + column
        tile(
          segments: 1, depth: depth, start, segmentStride: 0, stride: isCopied ? copyStride : a.stride,
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

  /// - Parameter byColumns: whether the rows of A lie next to each other, rather than the depths.
  init(_ cpu: CPU, byColumns: Bool = false) {
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
        1, 0, 0, 0, c.rows, segments, depth, a, segmentStride, stride, b, c.pointer, c.rowStride,
        c.accumulate, epilogue.bias, epilogue.relu, epilogue.mask)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, c.rows * panelWidth)) { aside in
      let aside = aside.baseAddress!
      product(
        1, 0, 0, 0, c.rows, segments, depth, a, segmentStride, stride, b, aside, panelWidth, false, nil,
        false, nil)
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
