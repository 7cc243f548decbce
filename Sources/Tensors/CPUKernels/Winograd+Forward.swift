import Devices

extension CPU {
  /// y = conv(x, weights) + bias, then ReLU.
  ///
  /// - Parameter winners: asks for a max pool of 2 x 2 after the ReLU, which y then holds: the number of the pixel that
  ///   won each window. Each tile of the output holds whole windows; K fills whole panels.
  func convolveWinograd(
    _ g: ConvolutionGeometry, _ x: UnsafePointer<Float>, _ weights: Tensor,
    into y: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?, relu: Bool,
    winners: UnsafeMutablePointer<UInt8>? = nil
  ) {
    // A part of a cache line must not be stored past the caches.
    let streamed =
      winners == nil && kernels.panelWidth >= 32
      && streams(y, rows: g.n * g.outputHeight * g.outputWidth, columns: g.k)
    let pass = WinogradForward(
      kernels: kernels, tiles: WinogradTiles(g), x: x, y: y, bias: bias, relu: relu, streamed: streamed,
      winners: winners)
    run(pass, .of(weights, .forward, stride: g.stride, on: self))
  }
}

private struct WinogradForward: WinogradPass {
  let kernels: MicroKernels
  let tiles: WinogradTiles
  let x: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>
  let bias: UnsafePointer<Float>?
  let relu: Bool
  let streamed: Bool
  let winners: UnsafeMutablePointer<UInt8>?

  private var g: ConvolutionGeometry { tiles.geometry }
  var depth: Int { g.c }
  var tileStride: Int { g.c }
  var columns: Int { g.k }
  var tilesPerGroup: Int { 1 }

  func source(of range: Range<Int>) -> Lines { tiles.inputLines(range, of: x) }

  func target(of range: Range<Int>) -> Lines {
    streamed ? .none : tiles.outputLines(range, of: y, isPooled: winners != nil)
  }

  func transform(
    _ tile: Int, into v: UnsafeMutablePointer<Float>, _ block: WinogradBlock, at: Int,
    _ scratch: WinogradScratch
  ) {
    tiles.transformInput(tile, of: x, into: v, block, at: at, kernels, scratch)
  }

  func finish(
    _ tile: Int, _ products: UnsafePointer<Float>, _ block: WinogradBlock, at: Int, panel: Int,
    _ scratch: WinogradScratch
  ) {
    let width = kernels.panelWidth
    let column = panel * width
    let bias = scratch.bias(bias, column, of: g.k)
    let place = tiles.place(tile)
    let (rows, columns) = (min(4, g.outputHeight - place.row), min(4, g.outputWidth - place.column))
    if let winners {
      guard rows >= 2, columns >= 2 else { return }  // no whole window
      let (height, across) = (g.outputHeight / 2, g.outputWidth / 2)
      let start = ((place.image * height + place.row / 2) * across + place.column / 2) * g.k + column
      kernels.winogradOutputPooled(
        products, block.pointStride, at, y + start, winners + start, across * g.k, g.k, rows / 2, columns / 2,
        bias, scratch.vectors)
      return
    }
    let start = ((place.image * g.outputHeight + place.row) * g.outputWidth + place.column) * g.k + column
    tiles.kernels(kernels).output(
      products, block.pointStride, at, y + start, g.outputWidth * g.k, g.k, rows, columns,
      min(width, g.k - column), bias, relu, streamed, scratch.vectors)
  }
}
