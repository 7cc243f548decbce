import Devices

/// The right operand of a product, copied into the panels that the micro-kernel reads: blocks of up to
/// `depthBlock` depths, in each block panels of `panelWidth` columns, zero-padded, each [depth][panelWidth].
struct PackedMatrix {
  let buffer: Buffer
  let depth: Int
  private(set) var columns: Int
  let panelWidth: Int
  /// Whether depths count pairs of bfloat16.
  let isPaired: Bool

  var panels: Int { (columns + panelWidth - 1) / panelWidth }
  var paddedColumns: Int { panels * panelWidth }
  private let largestBlock: Int
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
    panelWidth = cpu.kernels.repeated?.columns ?? cpu.kernels.panelWidth
    largestBlock = cpu.kernels.largestDepthBlock
    let padded = (columns + panelWidth - 1) / panelWidth * panelWidth
    buffer = cpu.makeBuffer(byteCount: max(1, depth * padded) * 4)
    let matrixAddress = matrix
    let this = self
    // Several panels at a time, so that whole runs of cache lines are read.
    let together = max(4, 64 / panelWidth)
    let groups = (panels + together - 1) / together
    cpu.parallel(blocks * groups) { task in
      let (block, panel) = (task / groups, task % groups * together)
      let (column, first) = (panel * this.panelWidth, block * this.depthBlock)
      let count = min(together * this.panelWidth, columns - column)
      let target = UnsafeMutablePointer(mutating: this.panel(panel, block: block))
      let depths = this.depths(ofBlock: block)
      let (row, columnStride) = transposed ? (1, rowStride) : (rowStride, 1)
      let source = matrixAddress + first * row + column * columnStride
      if let repeated = cpu.kernels.repeated {
        repeated.pack(source, row, columnStride, depths, count, target)
      } else if transposed {
        cpu.kernels.packTransposed(source, rowStride, depths, count, target)
      } else {
        cpu.kernels.pack(source, rowStride, depths, count, target)
      }
    }
  }

  /// A packed matrix that was kept with its source; see ``Buffer/derived(_:make:)``.
  init(kept buffer: Buffer, depth: Int, columns: Int, isPaired: Bool, on cpu: CPU) {
    self.isPaired = isPaired
    self.buffer = buffer
    self.depth = depth
    self.columns = columns
    panelWidth = cpu.kernels.repeated?.columns ?? cpu.kernels.panelWidth
    largestBlock = cpu.kernels.largestDepthBlock
  }

  /// The same matrix with the columns that fill its last panel, which are zero.
  var wholePanels: PackedMatrix {
    var whole = self
    whole.columns = paddedColumns
    return whole
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
      kept: buffer, depth: depth, columns: columns, isPaired: isPaired, on: cpu)
  }
}
