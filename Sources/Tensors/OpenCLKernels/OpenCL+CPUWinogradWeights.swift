import Devices

extension OpenCL {
  /// dW by Winograd's algorithm: per point the product of the transformed images, transposed, with the transformed dy,
  /// summed over tiles. With `winners`, dy is the gradient of a max pool of 2 x 2.
  func weightGradientWinogradCPU(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, winners: Buffer? = nil, into dw: Tensor
  ) throws {
    let job = WinogradCPUWeights(self, g)
    let sums = try winogradSums(g, groups: job.groups)
    if job.isGrouped {
      try job.sumByGroups(x, dy, winners, into: sums)
    } else {
      try job.sumByPoints(x, dy, winners, into: sums)
    }
    try finishWinogradSums(sums, groups: job.groups, g, into: dw)
  }

  /// Memory for what groups sum: [group][panel][point][channel][PANEL].
  func winogradSums(_ g: ConvolutionGeometry, groups: Int) throws -> Buffer {
    try makeBuffer(byteCount: groups * WinogradTiles.points * panels(g.k) * g.c * panel * 4)
  }

  /// Adds the groups and transforms the sums into dW.
  func finishWinogradSums(_ sums: Buffer, groups: Int, _ g: ConvolutionGeometry, into dw: Tensor) throws {
    let channels = 4  // FINISHED in winograd_weight_cpu.cl
    try launchTasks(
      "winograd_weight_finish_cpu", [.int(groups), .int(g.c), .int(g.k), .buffer(sums), .buffer(dw.buffer)],
      tasks: [(g.c + channels - 1) / channels, panels(g.k)],
      scratch: WinogradTiles.points * channels * panel, defines: winogradDefines(g))
  }
}

/// One weight gradient on one device.
struct WinogradCPUWeights {
  let device: OpenCL
  let g: ConvolutionGeometry
  let tiles: WinogradTiles
  let panels: Int
  /// Groups of tiles, each with its own sums; 1 for large filters and few tiles.
  private(set) var groups = 1
  /// Whether a task transforms and multiplies the tiles of a group, in local memory: not so many that other threads would
  /// have to wait.
  private(set) var isGrouped = false

  init(_ device: OpenCL, _ g: ConvolutionGeometry) {
    (self.device, self.g, tiles) = (device, g, WinogradTiles(g))
    panels = device.panels(g.k)
    if let groups = tiles.weightGroups, device.fits(groupFloats(12)) {
      self.groups = groups
      isGrouped = groups > 1 || tiles.count <= 48
    }
  }

  private func groupFloats(_ block: Int) -> Int {
    tiles.products * (block * (g.c + panels * device.panel) + 16 * (1 + panels))
  }

  func sumByGroups(_ x: Tensor, _ dy: Tensor, _ winners: Buffer?, into sums: Buffer) throws {
    var block = max(12, min(1024 / tiles.products, (tiles.count + groups - 1) / groups))
    while block > 12, !device.fits(groupFloats(block)) { block -= 4 }
    let extents = [tiles.count, g.h, g.w, g.c, g.outputHeight, g.outputWidth, g.k, g.padding]
    try device.launchTasks(
      "winograd_weight_cpu",
      extents.map { .int($0) } + [
        .buffer(x.buffer), .buffer(dy.buffer), .optional(winners), .buffer(sums), .int(block),
      ], tasks: [groups], scratch: groupFloats(block), defines: device.winogradDefines(g),
      flops: g.operations)
  }

  /// For large filters, whose sums exist once: blocks of tiles are transformed, then tasks share points and panels.
  func sumByPoints(_ x: Tensor, _ dy: Tensor, _ winners: Buffer?, into sums: Buffer) throws {
    let perTile = tiles.products * (g.c + panels * device.panel)
    let blocks = (tiles.count * perTile + (1 << 21) - 1) >> 21
    let wished = max(4608 / tiles.products, (tiles.count + blocks - 1) / blocks + 3) / 4 * 4
    let scratchPerTile = device.tileHeight * (g.stride == 1 ? 1 : 16)
    let block = min(wished, (device.info.localMemory / 4 - device.vectorWidth) / scratchPerTile / 4 * 4)
    let values = try device.makeBuffer(byteCount: tiles.products * (block * g.c + 16) * 4)
    let gradients = try device.makeBuffer(
      byteCount: panels * tiles.products * (block * device.panel + 16) * 4)
    let part = max(1, min(panels, WinogradTiles.points * panels / (16 * device.info.computeUnits)))
    for first in stride(from: 0, to: tiles.count, by: block) {
      let last = min(tiles.count, first + block)
      try WinogradCPUJob(device, g).transform(x, first..<last, into: values, block)
      try device.launchTasks(
        "winograd_transform_gradient_cpu",
        [first, last, g.outputHeight, g.outputWidth, g.k].map { .int($0) } + [
          .buffer(dy.buffer), .optional(winners), .buffer(gradients), .int(block), .int(4),
        ], tasks: [(last - first + 3) / 4, panels], defines: device.winogradDefines(g))
      try device.launchTasks(
        "winograd_weight_multiply_cpu",
        [.int(last - first), .int(g.c), .int(g.k), .buffer(values), .buffer(gradients), .buffer(sums)]
          + [block, part, first > 0 ? 1 : 0].map { .int($0) },
        tasks: [WinogradTiles.points, (panels + part - 1) / part],
        scratch: scratchPerTile * block + device.vectorWidth,
        defines: device.winogradDefines(g))
    }
  }
}
