import Devices

/// Winograd's convolutions shaped for CPU runtimes; see `winograd_tiles_cpu.cl`.
extension OpenCL {
  /// The rules of ``ConvolutionGeometry/prefersWinograd`` and ``ConvolutionGeometry/prefersStridedWinograd``, where
  /// local memory holds what a task needs.
  func usesWinogradCPU(_ g: ConvolutionGeometry) -> Bool {
    let isWanted =
      g.prefersWinograd && isEnabled("winograd")
      || g.prefersStridedWinograd && isEnabled(Self.stridedWinograd)
    return isWanted && WinogradCPUJob(self, g).fits
  }

  /// The variant of stride 2.
  static let stridedWinograd = "winograd of stride 2"

  /// Macros of the kernels of a convolution.
  func winogradDefines(_ g: ConvolutionGeometry) -> [String: Int] {
    g.stride == 1 ? [:] : ["STRIDE": g.stride]
  }

  /// Whether a max pool of 2 x 2 happens inside the tiles. If so, the kernels of the directions wanted have been checked: a
  /// gradient must take the same way.
  func poolsInWinograd(_ g: ConvolutionGeometry, _ directions: [Convolution.Direction]) throws -> Bool {
    func isWanted() -> Bool {
      kernelShape == .cpu && usesWinogradCPU(g) && g.k % panel == 0 && WinogradCPUJob(self, g).hasWholeImages
    }
    guard isWanted() else { return false }
    for direction in directions { _ = try checkedKernels(direction, g) }
    return isWanted()
  }

  /// y = conv(x, weights) + bias, then ReLU; or with `rotated` weights, from K to C, for the input gradient.
  ///
  /// - Parameter winners: asks for a max pool of 2 x 2 after the ReLU, which y then holds: the number of the pixel that
  ///   won each window. K fills whole panels.
  func convolveWinogradCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, filters: WinogradFilterForm = .forward,
    bias: Tensor?, relu: Bool, into y: Tensor, winners: Buffer? = nil
  ) throws {
    let job = WinogradCPUJob(self, g)
    let end: [KernelArgument] = [
      .buffer(try winogradFilters(weights, filters, g)), .optional(bias?.buffer),
      finish(g.outputShape, relu: relu, mayPassCaches: job.hasSmallFilters), .buffer(y.buffer),
      .optional(winners),
    ]
    if job.hasSmallFilters {
      try job.runByTiles(x, end)
    } else {
      try job.runByPanels(x, end)
    }
  }

  /// dx from dy, or from that of a max pool of 2 x 2 and its winners; 0 where `mask`, x as the output of a ReLU, is not
  /// positive.
  func inputGradientWinogradCPU(
    _ g: ConvolutionGeometry, _ dy: Tensor, winners: Buffer? = nil, _ weights: Tensor, mask: Tensor?,
    into dx: Tensor
  ) throws {
    let job = WinogradCPUJob(self, g)
    if job.hasWholeImages {
      let filters = try winogradFilters(weights, .transposed, g)
      return try job.gradientByImages(dy, winners, filters, mask: mask, into: dx)
    }
    precondition(winners == nil, "only whole images take the gradient of a pool")
    let transposed = try ConvolutionGeometry(
      images: dy.shape, weights: [3, 3, g.k, g.c], stride: 1, padding: 2 - g.padding)
    try convolveWinogradCPU(transposed, dy, weights, filters: .rotated, bias: nil, relu: false, into: dx)
    if let mask { try Relu.Gradient().run(on: self, [mask, dx], [dx]) }
  }

  /// Transformed weights (3, 3, C, K), kept for parameters until they change.
  func winogradFilters(
    _ weights: Tensor, _ form: WinogradFilterForm, _ g: ConvolutionGeometry
  ) throws -> Buffer {
    let (c, k) = (weights.shape[2], weights.shape[3])
    let (channels, outputs) = form == .forward ? (c, k) : (k, c)
    return try weights.buffer.derived("winograd \(g.stride) \(form)") {
      let filters = try makeBuffer(
        byteCount: panels(outputs) * WinogradTiles.points * channels * panel * 4)
      try launchTasks(
        "winograd_filter_cpu",
        [.int(c), .int(k), .int(form == .forward ? 0 : 1), .int(form == .rotated ? 1 : 0)]
          + [.buffer(weights.buffer), .buffer(filters)], tasks: [channels, panels(outputs)],
        defines: winogradDefines(g))
      return filters
    }
  }

  func fits(_ floats: Int) -> Bool { floats * 4 <= info.localMemory }
}

/// How weights (3, 3, C, K) become filters: from C to K, or from K to C, for the transposed algorithm or, rotated by
/// 180 degrees, for a forward one.
enum WinogradFilterForm { case forward, transposed, rotated }

/// One convolution on one device.
struct WinogradCPUJob {
  let device: OpenCL
  let g: ConvolutionGeometry
  let tiles: WinogradTiles

  init(_ device: OpenCL, _ g: ConvolutionGeometry) {
    (self.device, self.g, tiles) = (device, g, WinogradTiles(g))
  }

  /// Local memory for the transformed tiles of a block and their products with a panel of filters.
  func blockFloats(_ count: Int, _ channels: Int) -> Int {
    tiles.products * (count * (channels + device.panel) + 32)
  }

  private var defines: [String: Int] { device.winogradDefines(g) }
  private var tilesPerImage: Int { tiles.down * tiles.across }
  /// Whether a task transforms what it multiplies: so it is with few filters, where local memory holds both, with stride 1
  /// also for the convolution of dy with rotated filters.
  var hasSmallFilters: Bool {
    g.c * g.k <= WinogradSchedule.largestFilterPerTask
      && device.fits(blockFloats(device.tileHeight, g.stride == 1 ? max(g.c, g.k) : g.c))
  }
  /// Whether local memory holds a task.
  var fits: Bool { part > 0 }

  /// Tiles of a task that shares transformed tiles, and local memory for their products.
  private var part: Int {
    (1...4).map { $0 * device.tileHeight }.last { device.fits(partFloats($0)) } ?? 0
  }
  private func partFloats(_ count: Int) -> Int { tiles.products * (count * device.panel + 16) }

  /// Whether the input gradient can take whole images.
  var hasWholeImages: Bool { hasSmallFilters && device.fits(gradientFloats(images: 1)) }

  private func gradientFloats(images: Int) -> Int {
    let height = device.tileHeight / 3  // LOW in product_cpu.cl
    return blockFloats(
      (images * tilesPerImage + height - 1) / height * height, device.panels(g.k) * device.panel)
  }

  /// Each task transforms a block of tiles, multiplies it with all filters and transforms back, in local memory.
  func runByTiles(_ x: Tensor, _ end: [KernelArgument]) throws {
    let block = blockSize
    let extents = [tiles.count, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.padding]
    try device.launchTasks(
      "winograd_cpu", extents.map { .int($0) } + [.buffer(x.buffer)] + end + [.int(block)],
      tasks: [(tiles.count + block - 1) / block], scratch: blockFloats(block, g.c),
      defines: defines, flops: g.operations)
  }

  /// Tiles of a task: at most 512 KB of transformed input, beside which the second-level cache has room for what is
  /// fetched, and enough tasks for all threads.
  private var blockSize: Int {
    let height = device.tileHeight
    let fits = 131_072 / (tiles.products * g.c) / height * height
    let balanced = (tiles.count / (4 * device.info.computeUnits) + height - 1) / height * height
    var block = max(height, min(g.stride == 1 ? 24 : 12, fits, balanced))
    while block > height, !device.fits(blockFloats(block, g.c)) { block -= height }
    return block
  }

  /// For large filters: all tasks transform a larger block of tiles, then share the panels of outputs, so that each
  /// filter is read once per block.
  func runByPanels(_ x: Tensor, _ end: [KernelArgument]) throws {
    let part = part
    let block = max(
      2 * part, min((tiles.count + part - 1) / part, (1 << 21) / (tiles.products * g.c) / part) * part)
    let values = try device.makeBuffer(byteCount: tiles.products * (block * g.c + 16) * 4)
    for first in stride(from: 0, to: tiles.count, by: block) {
      let last = min(tiles.count, first + block)
      try transform(x, first..<last, into: values, block)
      try device.launchTasks(
        "winograd_multiply_cpu",
        [first, last, g.c, g.outputHeight, g.outputWidth, g.k].map { .int($0) } + [.buffer(values)] + end
          + [.int(block), .int(part)],
        tasks: [(last - first + part - 1) / part, device.panels(g.k)],
        scratch: partFloats(part), defines: defines)
    }
  }

  /// V of the tiles of a block, which has room for `block` tiles.
  func transform(_ x: Tensor, _ range: Range<Int>, into values: Buffer, _ block: Int) throws {
    let step = 4
    let extents = [
      range.lowerBound, range.upperBound, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.padding,
    ]
    try device.launchTasks(
      "winograd_transform_cpu",
      extents.map { .int($0) } + [.buffer(x.buffer), .buffer(values), .int(block), .int(step)],
      tasks: [(range.count + step - 1) / step], defines: defines)
  }

  /// dx by the transposed algorithm: results of neighbouring tiles overlap, so that a task takes whole images.
  fileprivate func gradientByImages(
    _ dy: Tensor, _ winners: Buffer?, _ filters: Buffer, mask: Tensor?, into dx: Tensor
  ) throws {
    let wished = min(24 / tilesPerImage, g.n / (4 * device.info.computeUnits))
    var images = max(1, wished)
    while images > 1, !device.fits(gradientFloats(images: images)) { images -= 1 }
    let extents = [g.n, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.padding]
    try device.launchTasks(
      "winograd_gradient_cpu",
      extents.map { .int($0) } + [
        .buffer(dy.buffer), .optional(winners), .buffer(filters), .optional(mask?.buffer), .buffer(dx.buffer),
        .int(images),
      ], tasks: [(g.n + images - 1) / images], scratch: gradientFloats(images: images),
      defines: defines, flops: g.operations)
  }
}
