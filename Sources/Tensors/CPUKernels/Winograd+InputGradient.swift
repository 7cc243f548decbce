import Devices

extension CPU {
  /// dx of a 3x3 convolution, the transpose of the forward algorithm: B ((A dy A^T) U) B^T per tile of dy. Neighbours
  /// overlap by two pixels of dx (with stride 2 by one), which are summed in the order of the tiles.
  ///
  /// - Parameters:
  ///   - winners: see ``WinogradOutputGradient``.
  ///   - mask: laid out as dx, which is 0 where it is not positive; or nil.
  func inputGradientWinograd(
    _ g: ConvolutionGeometry, _ dy: UnsafePointer<Float>, winners: UnsafePointer<UInt8>? = nil,
    _ weights: Tensor, into dx: UnsafeMutablePointer<Float>, mask: UnsafePointer<Float>?
  ) {
    let tiles = WinogradTiles(g)
    let pass = WinogradInputGradient(
      kernels: kernels, tiles: tiles,
      dy: WinogradOutputGradient(kernels: kernels, tiles: tiles, dy: dy, winners: winners), dx: dx, mask: mask
    )
    run(pass, .of(weights, .transposed, stride: g.stride, on: self))
  }
}

private struct WinogradInputGradient: WinogradPass {
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let dy: WinogradOutputGradient
  let dx: UnsafeMutablePointer<Float>
  let mask: UnsafePointer<Float>?

  private var g: ConvolutionGeometry { tiles.geometry }
  private var width: Int { kernels.panelWidth }
  var depth: Int { g.k }
  /// Whole panels.
  var tileStride: Int { (g.k + width - 1) / width * width }
  var columns: Int { g.c }
  var tilesPerGroup: Int { tiles.down * tiles.across }

  func source(of range: Range<Int>) -> Lines { dy.lines(range) }
  func target(of range: Range<Int>) -> Lines { tiles.inputLines(range, of: dx) }

  func transform(
    _ tile: Int, into d: UnsafeMutablePointer<Float>, _ block: WinogradBlock, at: Int,
    _ scratch: WinogradScratch
  ) {
    for channel in stride(from: 0, to: g.k, by: width) {
      dy.transform(tile, channel: channel, into: d + channel, block, at: at, scratch)
    }
  }

  func finish(
    _ tile: Int, _ products: UnsafePointer<Float>, _ block: WinogradBlock, at: Int, panel: Int,
    _ scratch: WinogradScratch
  ) {
    let kernel = tiles.kernels(kernels).inputGradient
    let target = target(tile, column: panel * width)
    if panel * width + width <= g.c {
      let mask = mask.map { $0 + target.offset }
      kernel(
        products, block.pointStride, at, dx + target.offset, g.w * g.c, g.c, target.rows.lowerBound,
        target.columns.lowerBound, target.rows.upperBound, target.columns.upperBound, target.addsRows,
        target.addsColumns, target.doneRows, target.doneColumns, mask, scratch.vectors)
      return
    }
    let aside = scratch.patch
    let window = tiles.window
    kernel(
      products, block.pointStride, at, aside, window * width, width, 0, 0, window, window, false, false, 0, 0,
      nil, scratch.vectors)
    add(aside, target, channels: g.c - panel * width)
  }

  /// Adds the first channels of a tile, as the kernel does those of a panel.
  private func add(_ pixels: UnsafePointer<Float>, _ target: Target, channels: Int) {
    let overlap = tiles.window - tiles.step
    for i in target.rows {
      for j in target.columns {
        let isAdded = target.addsRows && i < overlap || target.addsColumns && j < overlap
        let isDone = i < target.doneRows && j < target.doneColumns
        for c in 0..<channels {
          let at = target.offset + (i * g.w + j) * g.c + c
          let sum = (isAdded ? dx[at] : 0) + pixels[(i * tiles.window + j) * width + c]
          dx[at] = isDone && mask.map { !($0[at] > 0) } ?? false ? 0 : sum
        }
      }
    }
  }

  /// Where the pixels of a tile go.
  private struct Target {
    /// Of pixel (0, 0), which may lie outside the image.
    var offset: Int
    /// Pixels inside the image.
    var rows: Range<Int>
    var columns: Range<Int>
    /// Whether tiles above or to the left were there.
    var addsRows: Bool
    var addsColumns: Bool
    /// Up to where no other tile follows.
    var doneRows: Int
    var doneColumns: Int
  }

  private func target(_ tile: Int, column: Int) -> Target {
    let place = tiles.place(tile)
    let (top, left) = (place.row * g.stride - g.padding, place.column * g.stride - g.padding)
    let (rows, columns) = (min(tiles.window, g.h - top), min(tiles.window, g.w - left))
    return Target(
      offset: ((place.image * g.h + top) * g.w + left) * g.c + column, rows: max(0, -top)..<rows,
      columns: max(0, -left)..<columns, addsRows: place.row > 0, addsColumns: place.column > 0,
      doneRows: place.row + 4 >= g.outputHeight ? rows : tiles.step,
      doneColumns: place.column + 4 >= g.outputWidth ? columns : tiles.step)
  }
}
