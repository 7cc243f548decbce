import KernelsBaseline

#if WIDE_KERNELS
  import KernelsAVX2
  import KernelsAVX512
#endif

/// Vector instructions of the CPU path's micro-kernels, from the oldest to the newest.
public enum InstructionSet: String, CaseIterable, Comparable, Sendable {
  case baseline, avx2, avx512

  /// Whether `a` is older than `b`.
  public static func < (a: Self, b: Self) -> Bool {
    allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
  }
}

/// The inner loops of one instruction set; see Sources/SIMDKernels for what each entry computes.
package struct MicroKernels: Sendable {
  package typealias Tile =
    @Sendable (
      _ rows: Int, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>, _ segmentStride: Int,
      _ stride: Int, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int,
      _ accumulate: Bool, _ bias: UnsafePointer<Float>?, _ relu: Bool
    ) -> Void
  package typealias Pack =
    @Sendable (
      _ b: UnsafePointer<Float>, _ rowStride: Int, _ depth: Int, _ columns: Int,
      _ panels: UnsafeMutablePointer<Float>
    ) -> Void

  package typealias MaxPool =
    @Sendable (
      _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ winner: UnsafeMutablePointer<UInt8>,
      _ windows: Int, _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
    ) -> Void
  package typealias MaxPoolGradient =
    @Sendable (
      _ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>, _ dx: UnsafeMutablePointer<Float>,
      _ windows: Int, _ channels: Int, _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
    ) -> Void

  /// Most rows of one tile.
  package let maximumRows: Int
  /// Columns of one tile and of one packed panel.
  package let panelWidth: Int
  package let tileByRows: Tile
  package let tileByColumns: Tile
  package let pack: Pack
  package let packTransposed: Pack
  package let maxPool: MaxPool
  package let maxPoolGradient: MaxPoolGradient

  package init(_ instructionSet: InstructionSet) {
    switch instructionSet {
    #if WIDE_KERNELS
      case .avx512:
        maximumRows = KernelsAVX512.kernelMaximumRows()
        panelWidth = KernelsAVX512.kernelPanelWidth()
        tileByRows = KernelsAVX512.kernelTileByRows
        tileByColumns = KernelsAVX512.kernelTileByColumns
        pack = KernelsAVX512.kernelPack
        packTransposed = KernelsAVX512.kernelPackTransposed
        maxPool = KernelsAVX512.kernelMaxPool
        maxPoolGradient = KernelsAVX512.kernelMaxPoolGradient
      case .avx2:
        maximumRows = KernelsAVX2.kernelMaximumRows()
        panelWidth = KernelsAVX2.kernelPanelWidth()
        tileByRows = KernelsAVX2.kernelTileByRows
        tileByColumns = KernelsAVX2.kernelTileByColumns
        pack = KernelsAVX2.kernelPack
        packTransposed = KernelsAVX2.kernelPackTransposed
        maxPool = KernelsAVX2.kernelMaxPool
        maxPoolGradient = KernelsAVX2.kernelMaxPoolGradient
    #endif
    default:
      maximumRows = KernelsBaseline.kernelMaximumRows()
      panelWidth = KernelsBaseline.kernelPanelWidth()
      tileByRows = KernelsBaseline.kernelTileByRows
      tileByColumns = KernelsBaseline.kernelTileByColumns
      pack = KernelsBaseline.kernelPack
      packTransposed = KernelsBaseline.kernelPackTransposed
      maxPool = KernelsBaseline.kernelMaxPool
      maxPoolGradient = KernelsBaseline.kernelMaxPoolGradient
    }
  }
}
