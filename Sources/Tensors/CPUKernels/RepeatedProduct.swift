import Devices

/// A block of a product on processors without fused multiply-add: values of A are stored four times before they are
/// multiplied with many columns.
struct RepeatedProduct {
  let cpu: CPU
  let kernels: MicroKernels.Repeated
  let b: PackedMatrix
  let rows: Range<Int>
  let panels: Range<Int>

  func callAsFunction(_ a: LeftMatrix, into c: UnsafeMutablePointer<Float>, epilogue: Epilogue) {
    let tiles = (rows.count + kernels.rows - 1) / kernels.rows
    let size = panels.count * kernels.rows * b.panelWidth
    let buffer = cpu.makeBuffer(byteCount: (tiles * size + 4 * kernels.rows * b.depthBlock) * 4)
    let sums = buffer.address.assumingMemoryBound(to: Float.self)
    for block in 0..<b.blocks {
      for tile in 0..<tiles {
        multiply(a, block: block, tile, sums + tile * size, repeated: sums + tiles * size)
        if block == b.blocks - 1 { finish(tile, sums + tile * size, into: c, epilogue) }
      }
    }
    withExtendedLifetime(buffer) {}
  }

  private func rows(ofTile tile: Int) -> Range<Int> {
    let first = rows.lowerBound + tile * kernels.rows
    return first..<min(rows.upperBound, first + kernels.rows)
  }

  /// Adds the products of a block to the sums of a tile of rows.
  private func multiply(
    _ a: LeftMatrix, block: Int, _ tile: Int, _ sums: UnsafeMutablePointer<Float>,
    repeated: UnsafeMutablePointer<Float>
  ) {
    let (rowStride, depthStride) = a.transposed ? (1, a.stride) : (a.stride, 1)
    let (rows, depth) = (rows(ofTile: tile), b.depths(ofBlock: block))
    let start = a.pointer + rows.lowerBound * rowStride + block * b.depthBlock * depthStride
    kernels.gather(start, rowStride, depthStride, rows.count, depth, repeated)
    kernels.product(
      depth, repeated, b.panel(panels.lowerBound, block: block), panels.count, sums, block > 0)
  }

  private func finish(
    _ tile: Int, _ sums: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, _ epilogue: Epilogue
  ) {
    let (rows, column) = (rows(ofTile: tile), panels.lowerBound * b.panelWidth)
    let columns = min(b.columns, panels.upperBound * b.panelWidth) - column
    let offset = rows.lowerBound * b.columns + column
    let epilogue = epilogue.part(column: column, offset: offset)
    kernels.finish(
      sums, rows.count, columns, c + offset, b.columns, epilogue.bias, epilogue.relu, epilogue.mask)
  }
}
