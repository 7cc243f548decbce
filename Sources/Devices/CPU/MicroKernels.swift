import Foundation
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
  package typealias Values = UnsafePointer<Float>
  package typealias Results = UnsafeMutablePointer<Float>
  package typealias Product =
    @Sendable (
      _ batches: Int, _ aBatch: Int, _ bBatch: Int, _ cBatch: Int, _ rows: Int, _ segments: Int,
      _ depth: Int, _ a: Values, _ segmentStride: Int, _ stride: Int, _ b: Values, _ bStride: Int,
      _ c: Results,
      _ cRowStride: Int, _ accumulate: Bool, _ bias: Values?, _ relu: Bool, _ mask: Values?,
      _ streamed: Bool, _ pairs: Bool, _ ahead: Values, _ aheadLines: Int
    ) -> Void
  package typealias Pair =
    @Sendable (_ x: Values, _ rows: Int, _ columns: Int, _ pairs: Results) -> Void
  /// Products with every value of A stored four times.
  package struct Repeated: Sendable {
    package let (rows, columns): (Int, Int)
    package let gather:
      @Sendable (
        _ a: Values, _ rowStride: Int, _ depthStride: Int, _ rows: Int, _ depth: Int, _ repeated: Results
      ) -> Void
    package let pack:
      @Sendable (
        _ b: Values, _ rowStride: Int, _ columnStride: Int, _ depth: Int, _ columns: Int, _ panels: Results
      ) -> Void
    package let product:
      @Sendable (
        _ depth: Int, _ repeated: Values, _ b: Values, _ panels: Int, _ sums: Results, _ accumulate: Bool
      ) -> Void
    package let finish:
      @Sendable (
        _ sums: Values, _ rows: Int, _ columns: Int, _ c: Results, _ cRowStride: Int, _ bias: Values?,
        _ relu: Bool, _ mask: Values?
      ) -> Void
  }
  /// Winograd's algorithm for tiles of 4x4 outputs.
  package struct Winograd: Sendable {
    package let input: WinogradInput
    package let output: WinogradOutput
    package let outputGradient: WinogradOutputGradient
    package let inputGradient: WinogradInputGradient
    package let filter: WinogradFilter
    package let filterGradient: WinogradFilter
  }

  /// Winograd's algorithm for images of three channels, a vector of `width` outputs at a time.
  package struct WinogradColors: Sendable {
    package let width: Int
    package let input:
      @Sendable (_ x: Values, _ rowStride: Int, _ tiles: Int, _ v: Results, _ scratch: Results) -> Void
    package let output:
      @Sendable (
        _ v: Values, _ tiles: Int, _ u: Values, _ pointStride: Int, _ channelStride: Int, _ y: Results,
        _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int, _ bias: Values?, _ relu: Bool,
        _ streamed: Bool, _ scratch: Results
      ) -> Void
    package let gradient:
      @Sendable (
        _ v: Values, _ tiles: Int, _ dy: Values, _ rowStride: Int, _ pixelStride: Int, _ rows: Int,
        _ columns: Int, _ sums: Results, _ pointStride: Int, _ channelStride: Int, _ accumulate: Bool,
        _ scratch: Results
      ) -> Void
  }
  package typealias TapGradients =
    @Sendable (
      _ segment: Int, _ rows: Int, _ pixels: Int, _ x: Values, _ xRow: Int, _ xTap: Int, _ xPixel: Int,
      _ dy: Values, _ dyPixel: Int, _ sums: Results, _ sumsRow: Int, _ accumulate: Bool
    ) -> Void
  package typealias TapInputGradient =
    @Sendable (
      _ dy0: Values, _ dy1: Values, _ dy2: Values, _ pixels: Int, _ channels: Int, _ outputs: Int,
      _ weights: Values, _ padding: Int, _ dx: Results, _ count: Int, _ scratch: Results
    ) -> Void
  package typealias GatherTiles =
    @Sendable (
      _ a: Values, _ first: Int, _ rows: Int, _ runLength: Int, _ runStride: Int, _ segments: Int,
      _ segmentStride: Int, _ depth: Int, _ depthStride: Int, _ tiles: Results, _ tileDepth: Int,
      _ firstDepth: Int
    ) -> Void
  package typealias Pack =
    @Sendable (_ b: Values, _ rowStride: Int, _ depth: Int, _ columns: Int, _ panels: Results) -> Void
  package typealias MaxPool =
    @Sendable (
      _ x: Values, _ y: Results, _ winner: UnsafeMutablePointer<UInt8>, _ windows: Int, _ channels: Int,
      _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
    ) -> Void
  package typealias MaxPoolGradient =
    @Sendable (
      _ dy: Values, _ winner: UnsafePointer<UInt8>, _ dx: Results, _ windows: Int, _ channels: Int,
      _ rows: Int, _ columns: Int, _ rowStride: Int, _ step: Int
    ) -> Void
  package typealias WinogradInput =
    @Sendable (
      _ x: Values, _ rowStride: Int, _ pixelStride: Int, _ firstRow: Int, _ firstColumn: Int, _ rows: Int,
      _ columns: Int, _ channels: Int, _ v: Results, _ pointStride: Int, _ tile: Int, _ tileStride: Int,
      _ scratch: Results
    ) -> Void
  package typealias WinogradOutput =
    @Sendable (
      _ m: Values, _ pointStride: Int, _ tile: Int, _ y: Results, _ rowStride: Int, _ pixelStride: Int,
      _ rows: Int, _ columns: Int, _ channels: Int, _ bias: Values, _ relu: Bool, _ streamed: Bool,
      _ scratch: Results
    ) -> Void
  package typealias WinogradOutputPooled =
    @Sendable (
      _ m: Values, _ pointStride: Int, _ tile: Int, _ y: Results, _ winner: UnsafeMutablePointer<UInt8>,
      _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int, _ bias: Values, _ scratch: Results
    ) -> Void
  package typealias WinogradOutputGradient =
    @Sendable (
      _ dy: Values, _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int, _ d: Results,
      _ pointStride: Int, _ tile: Int, _ tileStride: Int, _ scratch: Results
    ) -> Void
  package typealias WinogradOutputGradientPooled =
    @Sendable (
      _ dy: Values, _ winner: UnsafePointer<UInt8>, _ rowStride: Int, _ pixelStride: Int, _ rows: Int,
      _ columns: Int, _ d: Results, _ pointStride: Int, _ tile: Int, _ tileStride: Int, _ scratch: Results
    ) -> Void
  package typealias WinogradInputGradient =
    @Sendable (
      _ m: Values, _ pointStride: Int, _ tile: Int, _ dx: Results, _ rowStride: Int, _ pixelStride: Int,
      _ firstRow: Int, _ firstColumn: Int, _ rows: Int, _ columns: Int, _ addsRows: Bool, _ addsColumns: Bool,
      _ doneRows: Int, _ doneColumns: Int, _ mask: Values?, _ scratch: Results
    ) -> Void
  package typealias WinogradFilter =
    @Sendable (_ from: Values, _ fromStride: Int, _ to: Results, _ toStride: Int, _ scratch: Results) -> Void
  package typealias PGDStepLinf =
    @Sendable (
      _ x: Values, _ original: Values, _ g: Values, _ count: Int, _ stepSize: Float, _ epsilon: Float,
      _ out: Results
    ) -> Int
  package typealias ChannelStatistics =
    @Sendable (_ x: Values, _ rows: Int, _ channels: Int, _ means: Results, _ squares: Results) -> Void
  package typealias ChannelGradientSums =
    @Sendable (
      _ x: Values, _ dy: Values, _ rows: Int, _ channels: Int, _ mean: Values, _ inverse: Values,
      _ sums: Results, _ products: Results
    ) -> Void
  package typealias Normalize =
    @Sendable (
      _ x: Values, _ rows: Int, _ channels: Int, _ mean: Values, _ factor: Values, _ shift: Values,
      _ residual: Values?, _ relu: Bool, _ y: Results
    ) -> Void
  package typealias NormalizeGradient =
    @Sendable (
      _ x: Values, _ dy: Values, _ rows: Int, _ channels: Int, _ mean: Values, _ a: Values, _ b: Values,
      _ c: Values, _ dx: Results
    ) -> Void

  package let peak: @Sendable (_ repetitions: Int, _ factor: Float) -> Float
  package let peakOperations: @Sendable (_ repetitions: Int) -> Int
  /// Columns of one tile and of one packed panel.
  package let panelWidth: Int
  /// Rows of the highest tile.
  package let tileRows: Int
  package let productByRows: Product
  package let productByColumns: Product
  /// How matrices are multiplied where that is faster than ``productByRows``.
  package let repeated: Repeated?
  /// Weight gradients of first layers; nil where their sums do not fit the registers.
  package let tapGradients: TapGradients?
  /// Input gradients of first layers with one or three channels.
  package let tapInputGradient: TapInputGradient
  /// Pairs of bfloat16 of neighbouring columns and of neighbouring rows; nil where products do not take pairs.
  package let pairColumns: Pair?
  package let pairRows: Pair?
  package let gatherTiles: GatherTiles
  package let pack: Pack
  package let packTransposed: Pack
  package let maxPool: MaxPool
  package let maxPoolGradient: MaxPoolGradient
  /// Winograd's algorithm with stride 1 and 2.
  package let winograd: Winograd
  package let stridedWinograd: Winograd
  package let winogradOutputPooled: WinogradOutputPooled
  package let winogradOutputGradientPooled: WinogradOutputGradientPooled
  /// nil where a column of filters does not fit the registers.
  package let winogradColors: WinogradColors?
  package let pgdStepLinf: PGDStepLinf
  package let channelStatistics: ChannelStatistics
  package let channelGradientSums: ChannelGradientSums
  package let normalize: Normalize
  package let normalizeGradient: NormalizeGradient

  /// The most depths of a block of a packed matrix. With as many, a panel of up to 16 columns takes 20 KB of a 32 KB
  /// first-level cache; panels of AVX-512 come from the second level, which its fewer tiles hide. Repeated values take
  /// half of the first level.
  package var largestDepthBlock: Int {
    guard let repeated else { return panelWidth > 16 ? 512 : 320 }
    return Self.firstLevelCache / 2 / (16 * repeated.rows) / 8 * 8
  }

  private static let firstLevelCache = max(32_768, sysconf(Int32(_SC_LEVEL1_DCACHE_SIZE)))

  /// Heights of the tiles of a product of so many rows.
  package func tileHeights(_ rows: Int) -> [Int] {
    let count = (rows + tileRows - 1) / tileRows
    return (0..<count).map { rows / count + ($0 < rows % count ? 1 : 0) }
  }

  package init(_ instructionSet: InstructionSet) {
    switch instructionSet {
    #if WIDE_KERNELS
      case .avx512:
        peak = KernelsAVX512.kernelPeak
        peakOperations = KernelsAVX512.kernelPeakOperations
        panelWidth = KernelsAVX512.kernelPanelWidth()
        tileRows = KernelsAVX512.kernelTileRows()
        productByRows = KernelsAVX512.kernelProductByRows
        productByColumns = KernelsAVX512.kernelProductByColumns
        repeated = nil
        tapGradients = KernelsAVX512.kernelTapGradients
        tapInputGradient = KernelsAVX512.kernelTapInputGradient
        (pairColumns, pairRows) = (KernelsAVX512.kernelPairColumns, KernelsAVX512.kernelPairRows)
        gatherTiles = KernelsAVX512.kernelGatherTiles
        pack = KernelsAVX512.kernelPack
        packTransposed = KernelsAVX512.kernelPackTransposed
        maxPool = KernelsAVX512.kernelMaxPool
        maxPoolGradient = KernelsAVX512.kernelMaxPoolGradient
        winograd = Winograd(
          input: KernelsAVX512.kernelWinogradInput, output: KernelsAVX512.kernelWinogradOutput,
          outputGradient: KernelsAVX512.kernelWinogradOutputGradient,
          inputGradient: KernelsAVX512.kernelWinogradInputGradient,
          filter: KernelsAVX512.kernelWinogradFilter,
          filterGradient: KernelsAVX512.kernelWinogradFilterGradient)
        stridedWinograd = Winograd(
          input: KernelsAVX512.kernelStridedWinogradInput, output: KernelsAVX512.kernelStridedWinogradOutput,
          outputGradient: KernelsAVX512.kernelStridedWinogradOutputGradient,
          inputGradient: KernelsAVX512.kernelStridedWinogradInputGradient,
          filter: KernelsAVX512.kernelStridedWinogradFilter,
          filterGradient: KernelsAVX512.kernelStridedWinogradFilterGradient)
        winogradOutputPooled = KernelsAVX512.kernelWinogradOutputPooled
        winogradOutputGradientPooled = KernelsAVX512.kernelWinogradOutputGradientPooled
        winogradColors = WinogradColors(
          width: KernelsAVX512.kernelPanelWidth() / 2, input: KernelsAVX512.kernelWinogradColorsInput,
          output: KernelsAVX512.kernelWinogradColors, gradient: KernelsAVX512.kernelWinogradColorsGradient)
        pgdStepLinf = KernelsAVX512.kernelPGDStepLinf
        channelStatistics = KernelsAVX512.kernelChannelStatistics
        channelGradientSums = KernelsAVX512.kernelChannelGradientSums
        normalize = KernelsAVX512.kernelNormalize
        normalizeGradient = KernelsAVX512.kernelNormalizeGradient
      case .avx2:
        peak = KernelsAVX2.kernelPeak
        peakOperations = KernelsAVX2.kernelPeakOperations
        panelWidth = KernelsAVX2.kernelPanelWidth()
        tileRows = KernelsAVX2.kernelTileRows()
        productByRows = KernelsAVX2.kernelProductByRows
        productByColumns = KernelsAVX2.kernelProductByColumns
        repeated = nil
        tapGradients = nil
        tapInputGradient = KernelsAVX2.kernelTapInputGradient
        (pairColumns, pairRows) = (nil, nil)
        gatherTiles = KernelsAVX2.kernelGatherTiles
        pack = KernelsAVX2.kernelPack
        packTransposed = KernelsAVX2.kernelPackTransposed
        maxPool = KernelsAVX2.kernelMaxPool
        maxPoolGradient = KernelsAVX2.kernelMaxPoolGradient
        winograd = Winograd(
          input: KernelsAVX2.kernelWinogradInput, output: KernelsAVX2.kernelWinogradOutput,
          outputGradient: KernelsAVX2.kernelWinogradOutputGradient,
          inputGradient: KernelsAVX2.kernelWinogradInputGradient, filter: KernelsAVX2.kernelWinogradFilter,
          filterGradient: KernelsAVX2.kernelWinogradFilterGradient)
        stridedWinograd = Winograd(
          input: KernelsAVX2.kernelStridedWinogradInput, output: KernelsAVX2.kernelStridedWinogradOutput,
          outputGradient: KernelsAVX2.kernelStridedWinogradOutputGradient,
          inputGradient: KernelsAVX2.kernelStridedWinogradInputGradient,
          filter: KernelsAVX2.kernelStridedWinogradFilter,
          filterGradient: KernelsAVX2.kernelStridedWinogradFilterGradient)
        winogradOutputPooled = KernelsAVX2.kernelWinogradOutputPooled
        winogradOutputGradientPooled = KernelsAVX2.kernelWinogradOutputGradientPooled
        winogradColors = nil
        pgdStepLinf = KernelsAVX2.kernelPGDStepLinf
        channelStatistics = KernelsAVX2.kernelChannelStatistics
        channelGradientSums = KernelsAVX2.kernelChannelGradientSums
        normalize = KernelsAVX2.kernelNormalize
        normalizeGradient = KernelsAVX2.kernelNormalizeGradient
    #endif
    default:
      peak = KernelsBaseline.kernelPeak
      peakOperations = KernelsBaseline.kernelPeakOperations
      panelWidth = KernelsBaseline.kernelPanelWidth()
      tileRows = KernelsBaseline.kernelTileRows()
      productByRows = KernelsBaseline.kernelProductByRows
      productByColumns = KernelsBaseline.kernelProductByColumns
      #if arch(x86_64)
        repeated = Repeated(
          rows: KernelsBaseline.kernelRepeatedRows(), columns: KernelsBaseline.kernelRepeatedColumns(),
          gather: KernelsBaseline.kernelRepeat, pack: KernelsBaseline.kernelPackRepeated,
          product: KernelsBaseline.kernelProductRepeated, finish: KernelsBaseline.kernelFinishRepeated)
      #else
        repeated = nil
      #endif
      tapGradients = nil
      tapInputGradient = KernelsBaseline.kernelTapInputGradient
      (pairColumns, pairRows) = (nil, nil)
      gatherTiles = KernelsBaseline.kernelGatherTiles
      pack = KernelsBaseline.kernelPack
      packTransposed = KernelsBaseline.kernelPackTransposed
      maxPool = KernelsBaseline.kernelMaxPool
      maxPoolGradient = KernelsBaseline.kernelMaxPoolGradient
      winograd = Winograd(
        input: KernelsBaseline.kernelWinogradInput, output: KernelsBaseline.kernelWinogradOutput,
        outputGradient: KernelsBaseline.kernelWinogradOutputGradient,
        inputGradient: KernelsBaseline.kernelWinogradInputGradient,
        filter: KernelsBaseline.kernelWinogradFilter,
        filterGradient: KernelsBaseline.kernelWinogradFilterGradient)
      stridedWinograd = Winograd(
        input: KernelsBaseline.kernelStridedWinogradInput,
        output: KernelsBaseline.kernelStridedWinogradOutput,
        outputGradient: KernelsBaseline.kernelStridedWinogradOutputGradient,
        inputGradient: KernelsBaseline.kernelStridedWinogradInputGradient,
        filter: KernelsBaseline.kernelStridedWinogradFilter,
        filterGradient: KernelsBaseline.kernelStridedWinogradFilterGradient)
      winogradOutputPooled = KernelsBaseline.kernelWinogradOutputPooled
      winogradOutputGradientPooled = KernelsBaseline.kernelWinogradOutputGradientPooled
      winogradColors = nil
      pgdStepLinf = KernelsBaseline.kernelPGDStepLinf
      channelStatistics = KernelsBaseline.kernelChannelStatistics
      channelGradientSums = KernelsBaseline.kernelChannelGradientSums
      normalize = KernelsBaseline.kernelNormalize
      normalizeGradient = KernelsBaseline.kernelNormalizeGradient
    }
  }
}
