import Devices
import Foundation

/// Which algorithm a convolution runs.
package enum ConvolutionAlgorithm: String, CaseIterable, Sendable {
  /// Products of the images as they lie in memory with the weights.
  case direct
  /// Winograd's F(4x4, 3x3): a quarter of the multiplications; about twice the rounding error. With stride 2 nested
  /// F(4x4, 2x2): 56 % of the multiplications.
  case winograd

  /// Overrules the rule where the algorithm can be run at all; by default what `TEMPER_CONVOLUTION` says.
  @TaskLocal package static var forced = wished(ProcessInfo.processInfo.environment["TEMPER_CONVOLUTION"])

  /// The algorithm of a name; one that does not exist is reported on stderr and ignored.
  private static func wished(_ name: String?) -> Self? {
    guard let name else { return nil }
    if let algorithm = Self(rawValue: name) { return algorithm }
    let choices = allCases.map(\.rawValue).joined(separator: " or ")
    let message = "temper: TEMPER_CONVOLUTION: is \"\(name)\". Choose \(choices). Using the default.\n"
    FileHandle.standardError.write(Data(message.utf8))
    return nil
  }
}

/// How Winograd's products are shared out.
package enum WinogradSchedule {
  /// Channels times filters up to which each task takes tiles through all filters, which come from the third-level
  /// cache once per block of tiles; beyond it all tasks share transformed tiles and take panels of filters.
  @TaskLocal package static var largestFilterPerTask = 128 * 128
}

/// The 4x4 tiles that cover the output of a 3x3 convolution with stride 1 or 2; those at the lower and right edge may
/// reach beyond it.
struct WinogradTiles {
  static let extent = 4
  /// Points that filters are transformed into.
  static let points = 36

  let geometry: ConvolutionGeometry
  let down: Int
  let across: Int

  init(_ geometry: ConvolutionGeometry) {
    self.geometry = geometry
    down = (geometry.outputHeight + Self.extent - 1) / Self.extent
    across = (geometry.outputWidth + Self.extent - 1) / Self.extent
  }

  /// Products per tile: one for each point, or more with stride 2.
  var products: Int { geometry.stride == 1 ? 36 : 81 }
  /// Rows of the input that a tile reads, and those from one tile to the next.
  var window: Int { step + 3 - geometry.stride }
  var step: Int { Self.extent * geometry.stride }

  /// Groups of tiles for a weight gradient, each with its own sums, by shape only so that results do not depend on threads;
  /// nil for large filters, whose sums exist once.
  var weightGroups: Int? {
    let largest = WinogradSchedule.largestFilterPerTask / (geometry.stride == 1 ? 4 : 2)
    guard geometry.c * geometry.k <= largest else { return nil }
    var groups = 1
    while groups < 16, count * products >= 18_432 * groups { groups *= 2 }
    return groups
  }

  func kernels(_ kernels: MicroKernels) -> MicroKernels.Winograd {
    geometry.stride == 1 ? kernels.winograd : kernels.stridedWinograd
  }

  /// Tiles of all images.
  var count: Int { geometry.n * down * across }

  /// The image of a tile and the pixel of the output that it starts at.
  func place(_ tile: Int) -> (image: Int, row: Int, column: Int) {
    let within = tile % (down * across)
    return (tile / (down * across), within / across * Self.extent, within % across * Self.extent)
  }

  /// The rows of the input that consecutive tiles lie in.
  func inputLines(_ range: Range<Int>, of x: UnsafePointer<Float>) -> Lines {
    let g = geometry
    return lines(range, of: x, height: g.h, width: g.w * g.c) {
      $0.row * g.stride - g.padding..<$0.row * g.stride - g.padding + window
    }
  }

  /// The rows of the output, or of a max pool of 2x2 that follows, that consecutive tiles lie in.
  func outputLines(_ range: Range<Int>, of y: UnsafePointer<Float>, isPooled: Bool) -> Lines {
    let (g, scale) = (geometry, isPooled ? 2 : 1)
    return lines(range, of: y, height: g.outputHeight / scale, width: g.outputWidth / scale * g.k) {
      $0.row / scale..<($0.row + 4) / scale
    }
  }

  private func lines(
    _ range: Range<Int>, of images: UnsafePointer<Float>, height: Int, width: Int,
    rows: ((image: Int, row: Int, column: Int)) -> Range<Int>
  ) -> Lines {
    guard let last = range.last else { return .none }
    let (first, end) = (place(range.lowerBound), place(last))
    let start = first.image * height + max(0, rows(first).lowerBound)
    let rows = end.image * height + min(height, rows(end).upperBound) - start
    return Lines(images + start * width, floats: rows * width)
  }

  /// B^T x B of the pixels of the input that a tile reads, as tile `at` of a block.
  func transformInput(
    _ tile: Int, of x: UnsafePointer<Float>, into v: UnsafeMutablePointer<Float>, _ block: WinogradBlock,
    at: Int, _ kernels: MicroKernels, _ scratch: WinogradScratch
  ) {
    let (g, place) = (geometry, place(tile))
    let (top, left) = (place.row * g.stride - g.padding, place.column * g.stride - g.padding)
    self.kernels(kernels).input(
      x + ((place.image * g.h + top) * g.w + left) * g.c, g.w * g.c, g.c, max(0, -top), max(0, -left),
      min(window, g.h - top), min(window, g.w - left), g.c, v, block.pointStride, at, block.tileStride,
      scratch.vectors)
  }
}

extension ConvolutionGeometry {
  /// The rule: Winograd pays for 3x3 convolutions with stride 1 whose channels fill vectors on both sides, unless
  /// tiles would reach so far beyond the output that more than about half of the saving is lost.
  var prefersWinograd: Bool { stride == 1 && hasWinogradExtents && c >= 16 && savesProducts }

  /// The same with stride 2. Every pixel of the input belongs to a tile.
  var prefersStridedWinograd: Bool {
    stride == 2 && hasWinogradExtents && padding >= 1 && c >= 16 && savesProducts
  }

  /// The same for images of three channels, without the input gradient, whose results are too few to fill vectors.
  var prefersWinogradOfColors: Bool {
    stride == 1 && r == 3 && s == 3 && padding <= 2 && c == 3 && savesProducts
  }

  private var hasWinogradExtents: Bool { r == 3 && s == 3 && padding <= 2 && k >= 16 }

  private var savesProducts: Bool {
    if let forced = ConvolutionAlgorithm.forced { return forced == .winograd }
    let tiles = WinogradTiles(self)
    let most = stride == 1 ? 5 : 7
    return tiles.down * tiles.across * tiles.products <= most * outputHeight * outputWidth
  }
}

extension CPU {
  /// Winograd where it pays, with operands in float32. Pairs of bfloat16 are faster with stride 2.
  func usesWinograd(_ g: ConvolutionGeometry) -> Bool {
    !g.isPaired && (g.prefersWinograd || g.prefersStridedWinograd && !multipliesPairs)
  }
}
