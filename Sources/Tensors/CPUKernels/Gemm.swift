import Devices

/// The left operand of a product as it lies in memory: rows or columns contiguous.
struct LeftMatrix {
  let pointer: UnsafePointer<Float>
  /// Distance between rows (`transposed`: between columns, which then are contiguous runs of rows).
  let stride: Int
  let transposed: Bool
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
    let tileRows = kernels.maximumRows > 12 ? 12 : kernels.maximumRows
    let rowsPerTask = min(96, max(tileRows, (wanted + tileRows - 1) / tileRows * tileRows))
    let rowTasks = (rows + rowsPerTask - 1) / rowsPerTask
    parallel(rowTasks * columnTasks) { task in
      let firstPanel = task / rowTasks * panelsPerTask
      let firstRow = task % rowTasks * rowsPerTask
      multiplyBlock(
        a, b, rows: firstRow..<min(rows, firstRow + rowsPerTask),
        panels: firstPanel..<min(b.panels, firstPanel + panelsPerTask), tileRows: tileRows, into: c,
        epilogue: epilogue)
    }
  }

  private func multiplyBlock(
    _ a: LeftMatrix, _ b: PackedMatrix, rows: Range<Int>, panels: Range<Int>, tileRows: Int,
    into c: UnsafeMutablePointer<Float>, epilogue: Epilogue
  ) {
    let last = b.blocks - 1
    for block in 0..<b.blocks {
      let depth = b.depths(ofBlock: block)
      let first = block * PackedMatrix.depthBlock
      var row = rows.lowerBound
      while row < rows.upperBound {
        let count = tileHeight(left: rows.upperBound - row, tileRows)
        let start = a.pointer + (a.transposed ? first * a.stride + row : row * a.stride + first)
        for panel in panels {
          let column = panel * b.panelWidth
          let target = OutputTile(
            pointer: c + row * b.columns + column, rowStride: b.columns, rows: count,
            columns: min(b.panelWidth, b.columns - column), accumulate: block > 0)
          let end =
            block == last
            ? Epilogue(bias: epilogue.bias.map { $0 + column }, relu: epilogue.relu) : Epilogue()
          store(target, end) { pointer, rowStride, accumulate, bias, relu in
            let tile = a.transposed ? kernels.tileByColumns : kernels.tileByRows
            tile(
              count, 1, depth, start, 0, a.stride, b.panel(panel, block: block), pointer, rowStride,
              accumulate,
              bias, relu)
          }
        }
        row += count
      }
    }
  }

  /// Rows of the next tile: as many as fit, the last two tiles balanced.
  func tileHeight(left: Int, _ tileRows: Int) -> Int {
    left >= 2 * tileRows || left <= tileRows ? min(tileRows, left) : (left + 1) / 2
  }

  /// Runs a micro-kernel call for a tile of C. A tile narrower than a panel is computed aside and copied.
  @inline(__always)
  func store(
    _ target: OutputTile, _ epilogue: Epilogue,
    _ compute: (UnsafeMutablePointer<Float>, Int, Bool, UnsafePointer<Float>?, Bool) -> Void
  ) {
    let width = kernels.panelWidth
    if target.columns == width {
      compute(target.pointer, target.rowStride, target.accumulate, epilogue.bias, epilogue.relu)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: kernels.maximumRows * width) { aside in
      let aside = aside.baseAddress!
      compute(aside, width, false, nil, false)
      for i in 0..<target.rows {
        for j in 0..<target.columns {
          let p = target.pointer + i * target.rowStride + j
          let sum = (target.accumulate ? p.pointee : 0) + aside[i * width + j] + (epilogue.bias?[j] ?? 0)
          p.pointee = epilogue.relu && sum < 0 ? 0 : sum
        }
      }
    }
  }
}

/// The part of C that one micro-kernel call fills.
struct OutputTile {
  let pointer: UnsafeMutablePointer<Float>
  let rowStride: Int
  let rows: Int
  let columns: Int
  let accumulate: Bool
}
