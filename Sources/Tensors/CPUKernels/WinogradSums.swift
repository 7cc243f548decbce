import Devices

/// What a weight gradient sums in the transformed domain: per group of tiles and panel of outputs, 36 points of
/// channels x panel.
struct WinogradSums {
  let groups: Int
  /// Outputs of a panel.
  let width: Int
  /// Floats of one point of one panel.
  let pointStride: Int
  private let cpu: CPU
  private let g: ConvolutionGeometry
  private let panels: Int
  private let buffer: Buffer

  /// Memory whose content is not set.
  init(_ g: ConvolutionGeometry, groups: Int, on cpu: CPU) {
    (self.g, self.groups, self.cpu) = (g, groups, cpu)
    width = cpu.kernels.panelWidth
    panels = (g.k + width - 1) / width
    pointStride = g.c * width
    buffer = cpu.makeBuffer(byteCount: groups * panels * WinogradTiles.points * pointStride * 4)
  }

  /// Point 0 of a panel of a group.
  func panel(_ panel: Int, group: Int) -> UnsafeMutablePointer<Float> {
    buffer.address.assumingMemoryBound(to: Float.self) + (group * panels + panel) * WinogradTiles.points
      * pointStride
  }

  /// Adds the groups in order and transforms the sums into the filters' gradients. A task takes some channels, whose sums
  /// lie beside each other: those of different points are far apart.
  func finish(into dw: UnsafeMutablePointer<Float>) {
    let step = 8
    let parts = (g.c + step - 1) / step
    cpu.parallel(panels * parts) { task in
      let (panel, part) = (task / parts, task % parts)
      let channels = part * step..<min(g.c, (part + 1) * step)
      let scratch = WinogradScratch(cpu, floats: (WinogradTiles.points * step + 9) * width)
      let taps = scratch.values + WinogradTiles.points * step * width
      for point in 0..<WinogradTiles.points {
        let offset = point * pointStride + channels.lowerBound * width
        let (total, count) = (scratch.values + point * step * width, channels.count * width)
        total.update(from: self.panel(panel, group: 0) + offset, count: count)
        for group in 1..<max(1, groups) {
          let other = self.panel(panel, group: group) + offset
          for i in 0..<count { total[i] += other[i] }
        }
      }
      for (i, channel) in channels.enumerated() {
        WinogradTiles(g).kernels(cpu.kernels).filterGradient(
          scratch.values + i * width, step * width, taps, width, scratch.vectors)
        let target = dw + channel * g.k + panel * width
        let count = min(width, g.k - panel * width)
        for tap in 0..<9 { (target + tap * g.c * g.k).update(from: taps + tap * width, count: count) }
      }
    }
  }
}
