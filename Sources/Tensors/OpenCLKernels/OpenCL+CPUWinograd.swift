import Devices

/// Winograd's convolutions shaped for CPU runtimes; see `winograd_cpu.cl`.
extension OpenCL {
  /// The rule of ``CPU/usesWinograd(_:)``, where a block of tiles fits local memory.
  func usesWinogradCPU(_ g: ConvolutionGeometry) -> Bool {
    g.prefersWinograd && blockFloats(tileHeight, channels: g.c) * 4 <= info.localMemory
      && blockFloats(tileHeight, channels: g.k) * 4 <= info.localMemory
  }

  /// Local memory for the transformed tiles of a block and their products with a panel of filters.
  private func blockFloats(_ tiles: Int, channels: Int) -> Int {
    WinogradTiles.points * (tiles * (channels + panel) + 32)
  }

  /// y = conv(x, weights) + bias, then ReLU; or with `rotated` weights, from K to C, for the input gradient.
  func convolveWinogradCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, rotated: Bool = false, bias: Tensor?,
    relu: Bool,
    into y: Tensor
  ) throws {
    let filters = try winogradFilters(weights, rotated: rotated)
    let job = WinogradCPUJob(device: self, geometry: g, tiles: WinogradTiles(g))
    let end: [KernelArgument] = [
      .buffer(filters), .optional(bias?.buffer), .int(relu ? 1 : 0), .buffer(y.buffer),
    ]
    if g.c * g.k <= 128 * 128 {
      try job.runByTiles(x, end)
    } else {
      try job.runByPanels(x, end)
    }
  }

  /// dW: per point the product of the transformed images, transposed, with the transformed dy, summed over tiles.
  func weightGradientWinogradCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    let tiles = WinogradTiles(g).count
    let panels = panels(g.k)
    func floats(_ block: Int) -> Int {
      WinogradTiles.points * (block * (g.c + panels * panel) + 16 * (1 + panels))
    }
    let isSmall = g.c * g.k <= 64 * 64 && floats(12) * 4 <= info.localMemory
    var groups = 1
    if isSmall { while groups < 16, tiles >= 512 * groups { groups *= 2 } }
    let sums = try makeBuffer(byteCount: groups * WinogradTiles.points * panels * g.c * panel * 4)
    if isSmall {
      var block = max(12, min(48, (tiles + groups - 1) / groups))
      while block > 12, floats(block) * 4 > info.localMemory { block -= 4 }
      let extents = [tiles, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.padding]
      try launchTasks(
        "winograd_weight_cpu",
        extents.map { .int($0) } + [.buffer(x.buffer), .buffer(dy.buffer), .buffer(sums), .int(block)],
        tasks: [groups], scratch: floats(block))
    } else {
      try WinogradCPUJob(device: self, geometry: g, tiles: WinogradTiles(g)).sumByPoints(x, dy, into: sums)
    }
    try launchTasks(
      "winograd_weight_finish_cpu",
      [.int(groups), .int(g.c), .int(g.k), .buffer(sums), .buffer(dw.buffer)], tasks: [g.c, panels])
  }

  /// Transformed weights (3, 3, C, K), kept for parameters until they change.
  private func winogradFilters(_ weights: Tensor, rotated: Bool) throws -> Buffer {
    let (c, k) = (weights.shape[2], weights.shape[3])
    let (channels, outputs) = rotated ? (k, c) : (c, k)
    return try weights.buffer.derived("winograd rotated \(rotated)") {
      let filters = try makeBuffer(
        byteCount: panels(outputs) * WinogradTiles.points * channels * panel * 4)
      try launchTasks(
        "winograd_filter_cpu",
        [.int(c), .int(k), .int(rotated ? 1 : 0), .buffer(weights.buffer), .buffer(filters)],
        tasks: [channels, panels(outputs)])
      return filters
    }
  }

  fileprivate func blockSize(fitting g: ConvolutionGeometry, tiles: Int) -> Int {
    let height = tileHeight
    var block = max(height, min(48, 131_072 / (WinogradTiles.points * g.c) / height * height))
    block = max(height, min(block, (tiles / (computeTasks) + height - 1) / height * height))
    while block > height, blockFloats(block, channels: g.c) * 4 > info.localMemory { block -= height }
    return block
  }

  private var computeTasks: Int { 4 * info.computeUnits }
}

private struct WinogradCPUJob {
  let device: OpenCL
  let geometry: ConvolutionGeometry
  let tiles: WinogradTiles

  private var g: ConvolutionGeometry { geometry }

  /// Each task transforms a block of tiles, multiplies it with all filters and transforms back, in local memory.
  func runByTiles(_ x: Tensor, _ end: [KernelArgument]) throws {
    let block = device.blockSize(fitting: g, tiles: tiles.count)
    let extents = [tiles.count, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.padding]
    try device.launchTasks(
      "winograd_cpu", extents.map { .int($0) } + [.buffer(x.buffer)] + end + [.int(block)],
      tasks: [(tiles.count + block - 1) / block],
      scratch: WinogradTiles.points * (block * (g.c + device.panel) + 32))
  }

  /// For large filters: all tasks transform a larger block of tiles, then share the panels of outputs, so that each
  /// filter is read once per block.
  func runByPanels(_ x: Tensor, _ end: [KernelArgument]) throws {
    let part = 48
    let block = max(96, min((tiles.count + 47) / 48 * 48, (1 << 20) / (WinogradTiles.points * g.c) / 48 * 48))
    let values = try device.makeBuffer(byteCount: WinogradTiles.points * (block * g.c + 16) * 4)
    for first in stride(from: 0, to: tiles.count, by: block) {
      let last = min(tiles.count, first + block)
      try transform(x, first..<last, into: values, block)
      try device.launchTasks(
        "winograd_multiply_cpu",
        [first, last, g.c, g.outputHeight, g.outputWidth, g.k].map { .int($0) } + [.buffer(values)] + end
          + [.int(block), .int(part)],
        tasks: [(last - first + part - 1) / part, device.panels(g.k)],
        scratch: WinogradTiles.points * (part * device.panel + 16))
    }
  }

  /// V of the tiles of a block.
  private func transform(_ x: Tensor, _ range: Range<Int>, into values: Buffer, _ block: Int) throws {
    let step = 4
    let extents = [
      range.lowerBound, range.upperBound, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.padding,
    ]
    try device.launchTasks(
      "winograd_transform_cpu",
      extents.map { .int($0) } + [.buffer(x.buffer), .buffer(values), .int(block), .int(step)],
      tasks: [(range.count + step - 1) / step])
  }

  /// For large filters, whose sums exist once: blocks of tiles are transformed, then tasks share points and panels.
  func sumByPoints(_ x: Tensor, _ dy: Tensor, into sums: Buffer) throws {
    let panels = device.panels(g.k)
    let perTile = WinogradTiles.points * (g.c + panels * device.panel)
    let block = min((tiles.count + 3) / 4 * 4, max(128, (1 << 20) / perTile / 4 * 4))
    let values = try device.makeBuffer(byteCount: WinogradTiles.points * (block * g.c + 16) * 4)
    let gradients = try device.makeBuffer(
      byteCount: panels * WinogradTiles.points * (block * device.panel + 16) * 4)
    let part = max(1, min(panels, WinogradTiles.points * panels / (16 * device.info.computeUnits)))
    for first in stride(from: 0, to: tiles.count, by: block) {
      let last = min(tiles.count, first + block)
      try transform(x, first..<last, into: values, block)
      try device.launchTasks(
        "winograd_transform_gradient_cpu",
        [first, last, g.outputHeight, g.outputWidth, g.k].map { .int($0) } + [
          .buffer(dy.buffer), .buffer(gradients), .int(block), .int(4),
        ], tasks: [(last - first + 3) / 4, panels])
      try device.launchTasks(
        "winograd_weight_multiply_cpu",
        [.int(last - first), .int(g.c), .int(g.k), .buffer(values), .buffer(gradients), .buffer(sums)]
          + [block, part, first > 0 ? 1 : 0].map { .int($0) },
        tasks: [WinogradTiles.points, (panels + part - 1) / part], scratch: device.tileHeight * block)
    }
  }
}
