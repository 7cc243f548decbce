import Devices

/// 3x3 filters, transformed: per panel of outputs, per point, channels x panel.
struct WinogradFilters {
  let buffer: Buffer
  let channels: Int
  let panelWidth: Int
  var pointer: UnsafePointer<Float> { UnsafePointer(buffer.address.assumingMemoryBound(to: Float.self)) }
  /// Floats of one point of one panel.
  var pointStride: Int { channels * panelWidth }

  func panel(_ panel: Int) -> UnsafePointer<Float> { pointer + panel * WinogradTiles.points * pointStride }

  /// The direction of filters.
  enum Form: String {
    /// From C to K.
    case forward
    /// From K to C, for the input gradient.
    case transposed
  }

  /// The transformed weights (3, 3, C, K) of a convolution; kept for parameters until they change.
  static func of(_ weights: Tensor, _ form: Form, stride: Int = 1, on cpu: CPU) -> WinogradFilters {
    let (c, k) = (weights.shape[2], weights.shape[3])
    let (channels, outputs) = form == .forward ? (c, k) : (k, c)
    let width = cpu.kernels.panelWidth
    let buffer = weights.buffer.derived("winograd \(stride) \(form.rawValue) \(cpu.instructionSet.rawValue)")
    {
      let panels = (outputs + width - 1) / width
      let buffer = cpu.makeBuffer(byteCount: panels * WinogradTiles.points * channels * width * 4)
      let filters = WinogradFilters(buffer: buffer, channels: channels, panelWidth: width)
      let kernel = stride == 1 ? cpu.kernels.winograd.filter : cpu.kernels.stridedWinograd.filter
      cpu.parallel(panels * channels) { task in
        let (panel, channel) = (task / channels, task % channels)
        filters.fill(panel, channel, weights.pointer, c, k, form, kernel)
      }
      return buffer
    }
    return WinogradFilters(buffer: buffer, channels: channels, panelWidth: width)
  }

  /// The filters from one channel to one panel of outputs.
  private func fill(
    _ panel: Int, _ channel: Int, _ weights: UnsafePointer<Float>, _ c: Int, _ k: Int, _ form: Form,
    _ kernel: MicroKernels.WinogradFilter
  ) {
    let first = panel * panelWidth
    let count = min(panelWidth, (form == .forward ? k : c) - first)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 18 * panelWidth) { memory in
      let taps = memory.baseAddress!
      taps.update(repeating: 0, count: 9 * panelWidth)
      for tap in 0..<9 {
        let source = weights + tap * c * k
        for j in 0..<count {
          taps[tap * panelWidth + j] =
            form == .forward ? source[channel * k + first + j] : source[(first + j) * k + channel]
        }
      }
      let target = UnsafeMutablePointer(mutating: self.panel(panel)) + channel * panelWidth
      kernel(taps, panelWidth, target, pointStride, taps + 9 * panelWidth)
    }
  }
}
