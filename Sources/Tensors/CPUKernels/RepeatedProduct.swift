import Devices
import Foundation

/// The whole tiles of a block of a product, for processors without fused multiply-add: values of A are stored four times
/// before they are multiplied with many columns.
struct RepeatedProduct {
  private let kernels: (rows: Int, gather: MicroKernels.Repeat, product: MicroKernels.ProductRepeated)
  private let b: PackedMatrix
  private let (rows, panels): (Range<Int>, Range<Int>)
  /// The rows and panels that are left to others.
  let rest: [(rows: Range<Int>, panels: Range<Int>)]

  /// Half of the first-level cache, for the values of a tile; the other half is for those of B.
  private static let scratchBytes = max(32_768, sysconf(Int32(_SC_LEVEL1_DCACHE_SIZE))) / 2

  /// Nil where nothing is gained: other instruction sets, few rows or columns.
  init?(_ cpu: CPU, _ b: PackedMatrix, rows: Range<Int>, panels: Range<Int>) {
    guard let kernels = cpu.kernels.repeated, b.depth > 0 else { return nil }
    let lastRow = rows.lowerBound + rows.count / kernels.rows * kernels.rows
    let lastPanel = min(panels.upperBound, b.columns / b.panelWidth)
    guard lastRow > rows.lowerBound, lastPanel - panels.lowerBound >= 2 else { return nil }
    (self.kernels, self.b) = (kernels, b)
    (self.rows, self.panels) = (rows.lowerBound..<lastRow, panels.lowerBound..<lastPanel)
    rest = [(lastRow..<rows.upperBound, panels), (self.rows, lastPanel..<panels.upperBound)]
      .filter { !$0.0.isEmpty && !$0.1.isEmpty }
  }

  func callAsFunction(
    _ tile: TileProduct, _ a: LeftMatrix, into c: UnsafeMutablePointer<Float>, epilogue: Epilogue
  ) {
    let depthsAtOnce = Self.scratchBytes / (16 * kernels.rows)
    withUnsafeTemporaryAllocation(byteCount: Self.scratchBytes, alignment: 64) { scratch in
      let scratch = scratch.baseAddress!.assumingMemoryBound(to: Float.self)
      for block in 0..<b.blocks {
        let depths = b.depths(ofBlock: block)
        let parts = (depths + depthsAtOnce - 1) / depthsAtOnce
        let step = min(depthsAtOnce / 4 * 4, ((depths + parts - 1) / parts + 3) / 4 * 4)
        for first in stride(from: 0, to: depths, by: step) {
          multiply(a, block: block, depths: first..<min(depths, first + step), into: c, scratch)
        }
      }
    }
    if epilogue.isPlain { return }
    for panel in panels {
      let column = panel * b.panelWidth
      let offset = rows.lowerBound * b.columns + column
      let sums = OutputTile(
        pointer: c + offset, rowStride: b.columns, rows: rows.count, columns: b.panelWidth, accumulate: true)
      tile(
        segments: 1, depth: 0, a.pointer, segmentStride: 0, stride: 0, b.panel(panel, block: 0), into: sums,
        epilogue.part(column: column, offset: offset))
    }
  }

  /// Adds the products of some depths of a block.
  private func multiply(
    _ a: LeftMatrix, block: Int, depths: Range<Int>, into c: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let depth = block * b.depthBlock + depths.lowerBound
    let (rowStride, depthStride) = a.transposed ? (1, a.stride) : (a.stride, 1)
    let panel = b.panel(panels.lowerBound, block: block) + depths.lowerBound * b.panelWidth
    for row in stride(from: rows.lowerBound, to: rows.upperBound, by: kernels.rows) {
      kernels.gather(
        a.pointer + row * rowStride + depth * depthStride, rowStride, depthStride, depths.count, scratch)
      kernels.product(
        depths.count, scratch, panel, panels.count, b.depths(ofBlock: block) * b.panelWidth,
        c + row * b.columns + panels.lowerBound * b.panelWidth, b.columns, depth > 0)
    }
  }
}
