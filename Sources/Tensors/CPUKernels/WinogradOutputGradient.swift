import Devices

/// The gradient by the output of a 3x3 convolution, which both of its gradients read tile by tile.
struct WinogradOutputGradient {
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let dy: UnsafePointer<Float>
  /// Where a max pool of 2x2 followed, whose result `dy` then belongs to: the winners of its windows. K fills whole
  /// panels.
  var winners: UnsafePointer<UInt8>?

  private var g: ConvolutionGeometry { tiles.geometry }
  private var width: Int { kernels.panelWidth }

  /// What the transforms of consecutive tiles read.
  func lines(_ range: Range<Int>) -> Lines { tiles.outputLines(range, of: dy, isPooled: winners != nil) }

  /// A dy A^T for the panel of outputs from `channel` on, as tile `at` of a block.
  func transform(
    _ tile: Int, channel: Int, into d: UnsafeMutablePointer<Float>, _ block: WinogradBlock, at: Int,
    _ scratch: WinogradScratch
  ) {
    let (pointStride, tileStride) = (block.pointStride, block.tileStride)
    let place = tiles.place(tile)
    guard let winners else {
      let start = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + channel
      let (rows, columns) = (min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column))
      if channel + width <= g.k {
        tiles.kernels(kernels).outputGradient(
          dy + start, g.outputWidth * g.k, g.k, rows, columns, d, pointStride, at, tileStride, scratch.vectors
        )
      } else {
        copy(dy + start, rows, columns, channels: g.k - channel, into: scratch.patch)
        tiles.kernels(kernels).outputGradient(
          scratch.patch, 4 * width, width, rows, columns, d, pointStride, at, tileStride, scratch.vectors)
      }
      return
    }
    let (height, across) = (g.outputHeight / 2, g.outputWidth / 2)
    let (row, column) = (place.row / 2, place.column / 2)
    let start = ((place.image * height + row) * across + column) * g.k + channel
    kernels.winogradOutputGradientPooled(
      dy + start, winners + start, across * g.k, g.k, min(2, height - row), min(2, across - column), d,
      pointStride, at, tileStride, scratch.vectors)
  }

  /// Copies the pixels of a tile whose panel holds fewer channels; others are 0.
  private func copy(
    _ dy: UnsafePointer<Float>, _ rows: Int, _ columns: Int, channels: Int,
    into patch: UnsafeMutablePointer<Float>
  ) {
    patch.update(repeating: 0, count: 16 * width)
    for i in 0..<rows {
      for j in 0..<columns {
        (patch + (i * 4 + j) * width).update(from: dy + (i * g.outputWidth + j) * g.k, count: channels)
      }
    }
  }
}
