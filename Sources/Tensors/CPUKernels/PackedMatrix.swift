import Devices

/// The right operand of a product, copied into the panels that the micro-kernel reads: blocks of up to
/// `depthBlock` depths, in each block panels of `panelWidth` columns, zero-padded, each [depth][panelWidth].
struct PackedMatrix {
  let buffer: Buffer
  let depth: Int
  let columns: Int
  let panelWidth: Int
  /// Whether depths count pairs of bfloat16.
  let isPaired: Bool

  var panels: Int { (columns + panelWidth - 1) / panelWidth }
  var paddedColumns: Int { panels * panelWidth }
  /// The most depths of a block: with as many, a panel of up to 16 columns takes 20 KB of a 32 KB first-level cache.
  /// Panels of AVX-512 come from the second level, which its fewer tiles hide.
  private var largestBlock: Int { panelWidth > 16 ? 512 : 320 }
  /// Depths of each block but the last; all are about as deep.
  var depthBlock: Int {
    let count = max(1, (depth + largestBlock - 1) / largestBlock)
    return max(8, ((depth + count - 1) / count + 7) / 8 * 8)
  }
  var blocks: Int { (depth + depthBlock - 1) / depthBlock }

  /// Depths of one block.
  func depths(ofBlock block: Int) -> Int { min(depthBlock, depth - block * depthBlock) }

  /// Start of a panel within a block.
  func panel(_ panel: Int, block: Int) -> UnsafePointer<Float> {
    let start = block * depthBlock * paddedColumns + panel * depths(ofBlock: block) * panelWidth
    return UnsafePointer(buffer.address.assumingMemoryBound(to: Float.self)) + start
  }

  /// Packs a row-major matrix: (depth, columns), or (columns, depth) if `transposed`.
  init(
    _ matrix: UnsafePointer<Float>, depth: Int, columns: Int, rowStride: Int, transposed: Bool, on cpu: CPU
  ) {
    self.depth = depth
    self.columns = columns
    isPaired = false
    panelWidth = cpu.kernels.panelWidth
    let padded = (columns + panelWidth - 1) / panelWidth * panelWidth
    buffer = cpu.makeBuffer(byteCount: max(1, depth * padded) * 4)
    let matrixAddress = matrix
    let this = self
    // Four panels at a time, so that whole runs of cache lines are read.
    let groups = (panels + 3) / 4
    cpu.parallel(blocks * groups) { task in
      let (block, panel) = (task / groups, task % groups * 4)
      let (column, first) = (panel * this.panelWidth, block * this.depthBlock)
      let count = min(4 * this.panelWidth, columns - column)
      let target = UnsafeMutablePointer(mutating: this.panel(panel, block: block))
      if transposed {
        cpu.kernels.packTransposed(
          matrixAddress + column * rowStride + first, rowStride, this.depths(ofBlock: block), count, target)
      } else {
        cpu.kernels.pack(
          matrixAddress + first * rowStride + column, rowStride, this.depths(ofBlock: block), count, target)
      }
    }
  }

  /// A packed matrix that was kept with its source; see ``Buffer/derived(_:make:)``.
  init(kept buffer: Buffer, depth: Int, columns: Int, panelWidth: Int, isPaired: Bool) {
    self.isPaired = isPaired
    self.buffer = buffer
    self.depth = depth
    self.columns = columns
    self.panelWidth = panelWidth
  }

  /// The same matrix with the columns that fill its last panel, which are zero.
  var wholePanels: PackedMatrix {
    PackedMatrix(
      kept: buffer, depth: depth, columns: paddedColumns, panelWidth: panelWidth, isPaired: isPaired)
  }

  /// The packed form of a tensor's elements, kept for parameters until they change.
  static func of(
    _ tensor: Tensor, key: String, depth: Int, columns: Int, rowStride: Int, transposed: Bool,
    isPaired: Bool, on cpu: CPU
  ) -> PackedMatrix {
    let buffer = tensor.buffer.derived("\(key) \(cpu.instructionSet.rawValue)") {
      PackedMatrix(
        tensor.pointer, depth: depth, columns: columns, rowStride: rowStride, transposed: transposed, on: cpu
      ).buffer
    }
    return PackedMatrix(
      kept: buffer, depth: depth, columns: columns, panelWidth: cpu.kernels.panelWidth, isPaired: isPaired)
  }
}
