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

  /// Adds the groups in order and transforms the sums into the filters' gradients.
  func finish(into dw: UnsafeMutablePointer<Float>) {
    cpu.parallel(panels * g.c) { task in
      let (panel, channel) = (task / g.c, task % g.c)
      let column = panel * width
      let target = dw + channel * g.k + column
      let count = min(width, g.k - column)
      let scratch = WinogradScratch(cpu, floats: 9 * width, g)
      let (total, taps) = (scratch.patch, scratch.values)
      for point in 0..<WinogradTiles.points {
        let at = total + point * width
        let offset = point * pointStride + channel * width
        at.update(from: self.panel(panel, group: 0) + offset, count: width)
        for group in 1..<max(1, groups) {
          let other = self.panel(panel, group: group) + offset
          for i in 0..<width { at[i] += other[i] }
        }
      }
      cpu.kernels.winogradFilterGradient(total, width, taps, width, scratch.vectors)
      for tap in 0..<9 { (target + tap * g.c * g.k).update(from: taps + tap * width, count: count) }
    }
  }
}
