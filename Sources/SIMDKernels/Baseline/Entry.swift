// What the micro-kernel modules offer to the portable code: primitive types only, nothing inlinable.

/// Most rows that one tile may have.
@inline(never) public func kernelMaximumRows() -> Int { maximumRows }
/// Columns of a panel of B and of a tile.
@inline(never) public func kernelPanelWidth() -> Int { panelWidth }

/// One tile of C from `rows` rows of A, each `segments` runs of `depth` contiguous values.
///
/// C[i, 0..<panel] = sum over s, k of A[s * segmentStride + i * rowStride + k] * B[(s * depth + k) * panel ...],
/// added to C if `accumulate`; then `bias` (panel values) is added and ReLU applied.
@inline(never)
public func kernelTileByRows(
  _ rows: Int, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>, _ segmentStride: Int,
  _ rowStride: Int,
  _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool,
  _ bias: UnsafePointer<Float>?, _ relu: Bool
) {
  @inline(__always) func run<let Rows: Int>(_ rows: InlineArray<Rows, Void>.Type) {
    contiguousDepth(rows, segments, depth, a, segmentStride, rowStride, b, c, cRowStride, accumulate)
  }
  switch rows {
  case 1: run(InlineArray<1, Void>.self)
  case 2: run(InlineArray<2, Void>.self)
  case 3: run(InlineArray<3, Void>.self)
  case 4: run(InlineArray<4, Void>.self)
  case 5: run(InlineArray<5, Void>.self)
  case 6: run(InlineArray<6, Void>.self)
  #if VECTOR512
    case 7: run(InlineArray<7, Void>.self)
    case 8: run(InlineArray<8, Void>.self)
    case 9: run(InlineArray<9, Void>.self)
    case 10: run(InlineArray<10, Void>.self)
    case 11: run(InlineArray<11, Void>.self)
    case 12: run(InlineArray<12, Void>.self)
    case 13: run(InlineArray<13, Void>.self)
    case 14: run(InlineArray<14, Void>.self)
  #endif
  default: break
  }
  if bias != nil || relu { addBias(rows, c, cRowStride, bias, relu) }
}

/// As ``kernelTileByRows``, with the rows of A next to each other and `depthStride` between its depths:
/// A[s * segmentStride + i + k * depthStride].
@inline(never)
public func kernelTileByColumns(
  _ rows: Int, _ segments: Int, _ depth: Int, _ a: UnsafePointer<Float>, _ segmentStride: Int,
  _ depthStride: Int,
  _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool,
  _ bias: UnsafePointer<Float>?, _ relu: Bool
) {
  @inline(__always) func run<let Rows: Int>(_ rows: InlineArray<Rows, Void>.Type) {
    contiguousRows(rows, segments, depth, a, segmentStride, depthStride, b, c, cRowStride, accumulate)
  }
  switch rows {
  case 1: run(InlineArray<1, Void>.self)
  case 2: run(InlineArray<2, Void>.self)
  case 3: run(InlineArray<3, Void>.self)
  case 4: run(InlineArray<4, Void>.self)
  case 5: run(InlineArray<5, Void>.self)
  case 6: run(InlineArray<6, Void>.self)
  #if VECTOR512
    case 7: run(InlineArray<7, Void>.self)
    case 8: run(InlineArray<8, Void>.self)
    case 9: run(InlineArray<9, Void>.self)
    case 10: run(InlineArray<10, Void>.self)
    case 11: run(InlineArray<11, Void>.self)
    case 12: run(InlineArray<12, Void>.self)
    case 13: run(InlineArray<13, Void>.self)
    case 14: run(InlineArray<14, Void>.self)
  #endif
  default: break
  }
  if bias != nil || relu { addBias(rows, c, cRowStride, bias, relu) }
}

/// Copies B (depth x columns, `rowStride` between rows) into zero-padded panels [columns / panel][depth][panel].
@inline(never)
public func kernelPack(
  _ b: UnsafePointer<Float>, _ rowStride: Int, _ depth: Int, _ columns: Int,
  _ panels: UnsafeMutablePointer<Float>
) {
  var panels = panels
  var column = 0
  while column < columns {
    let count = columns - column
    for k in 0..<depth {
      let source = b + k * rowStride + column
      if count >= panelWidth {
        store(panels, load(source))
        store(panels + width, load(source + width))
      } else {
        for j in 0..<panelWidth { panels[j] = j < count ? source[j] : 0 }
      }
      panels += panelWidth
    }
    column += panelWidth
  }
}

/// As ``kernelPack`` for the transpose: `b` holds columns x depth, `rowStride` between its columns' starts.
@inline(never)
public func kernelPackTransposed(
  _ b: UnsafePointer<Float>, _ rowStride: Int, _ depth: Int, _ columns: Int,
  _ panels: UnsafeMutablePointer<Float>
) {
  var panels = panels
  var column = 0
  while column < columns {
    let count = min(panelWidth, columns - column)
    for j in 0..<panelWidth {
      let source = b + (column + j) * rowStride
      var target = panels + j
      for k in 0..<depth {
        target.pointee = j < count ? source[k] : 0
        target += panelWidth
      }
    }
    panels += depth * panelWidth
    column += panelWidth
  }
}
