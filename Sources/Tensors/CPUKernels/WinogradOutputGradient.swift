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

  /// A dy A^T for the panel of outputs from `channel` on.
  func transform(
    _ tile: Int, channel: Int, into d: UnsafeMutablePointer<Float>, pointStride: Int,
    _ scratch: WinogradScratch
  ) {
    let place = tiles.place(tile)
    guard let winners else {
      let source = patch(place, channel, scratch)
      kernels.winogradOutputGradient(
        source.pointer, source.rowStride, source.pixelStride, d, pointStride, scratch.vectors)
      return
    }
    let (height, across) = (g.outputHeight / 2, g.outputWidth / 2)
    let (row, column) = (place.row / 2, place.column / 2)
    let at = ((place.image * height + row) * across + column) * g.k + channel
    kernels.winogradOutputGradientPooled(
      dy + at, winners + at, across * g.k, g.k, min(2, height - row), min(2, across - column), d,
      pointStride, scratch.vectors)
  }

  /// The 4x4 pixels of a panel that a tile holds; copied with zeros where the tile or the panel reaches beyond dy.
  private func patch(
    _ place: (image: Int, row: Int, column: Int), _ channel: Int, _ scratch: WinogradScratch
  ) -> (pointer: UnsafePointer<Float>, rowStride: Int, pixelStride: Int) {
    let start = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + channel
    let (rows, columns) = (min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column))
    let count = min(width, g.k - channel)
    if rows == 4, columns == 4, count == width { return (dy + start, g.outputWidth * g.k, g.k) }
    scratch.patch.update(repeating: 0, count: 16 * width)
    for i in 0..<rows {
      for j in 0..<columns {
        (scratch.patch + (i * 4 + j) * width).update(
          from: dy + start + (i * g.outputWidth + j) * g.k, count: count)
      }
    }
    return (UnsafePointer(scratch.patch), 4 * width, width)
  }
}
