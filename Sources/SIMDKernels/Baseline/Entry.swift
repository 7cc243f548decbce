// What the micro-kernel modules offer to the portable code: primitive types only, nothing inlinable.

internal import CSIMD

#if VECTOR512 || VECTOR256 || !arch(x86_64)
  private typealias PeakVector = Vector
#else
  // With whole vectors, of two registers each, there would be too few independent sums.
  private typealias PeakVector = SIMD4<Float>
#endif
/// Independent sums that keep the arithmetic units busy and fit the registers.
private typealias PeakSums = InlineArray<12, Void>

/// Operations of one call of ``kernelPeak``.
@inline(never) public func kernelPeakOperations(_ repetitions: Int) -> Int {
  repetitions * PeakSums.count * 2 * PeakVector.scalarCount
}

/// Multiplies and adds on registers alone, which is the most that the processor can do.
@inline(never)
public func kernelPeak(_ repetitions: Int, _ factor: Float) -> Float {
  let (a, b) = (PeakVector(repeating: factor), PeakVector(repeating: 1 - factor))
  var sums = InlineArray<12, PeakVector>(repeating: a)
  var left = repetitions
  repeat {
    unrolled(PeakSums.self) { i in
      #if VECTOR512 || VECTOR256 || !arch(x86_64)
        sums[i] = vector_multiply_add(sums[i], a, b)
      #else
        sums[i] = quad_multiply_add(sums[i], a, b)
      #endif
    }
    left -= 1
  } while left > 0
  var total = PeakVector.zero
  unrolled(PeakSums.self) { i in total += sums[i] }
  return total[0]
}

/// Columns of a panel of B and of C.
@inline(never) public func kernelPanelWidth() -> Int { panelWidth }

/// Rows of the highest tile. The tiles of a product are as few as possible and about equally high, higher ones first.
@inline(never) public func kernelTileRows() -> Int { maximumRows }

/// Calls `body` with each batch and, in it, the first row and the height of each tile; heights are balanced. While a
/// panel of B is used for its tiles, the next one is fetched, a part per tile: that of the next batch, or what follows
/// the last.
@inline(__always)
private func forTiles(
  _ batches: Int, _ rows: Int, _ b: UnsafePointer<Float>, _ bBatch: Int, _ depth: Int, _ bStride: Int,
  _ ahead: UnsafePointer<Float>, _ aheadLines: Int,
  _ body: (_ batch: Int, _ row: Int, _ count: Int, _ next: Upcoming) -> Void
) {
  let tiles = (rows + maximumRows - 1) / maximumRows
  guard tiles > 0 else { return }
  let (height, higher) = (rows / tiles, rows % tiles)
  let step = (bStride + tiles - 1) / tiles
  let aheadPerTile = aheadLines > 0 ? (aheadLines + batches * tiles - 1) / (batches * tiles) : 0
  var ahead = ahead
  for batch in 0..<batches {
    var row = 0
    var next = b + (batch < batches - 1 ? (batch + 1) * bBatch : batch * bBatch + depth * bStride)
    for tile in 0..<tiles {
      let count = tile < higher ? height + 1 : height
      var lines = aheadPerTile
      while lines > 0 {
        prefetch_far(ahead)
        ahead += 16
        lines -= 1
      }
      body(batch, row, count, Upcoming(start: next, step: step))
      next += depth * step
      row += count
    }
  }
}

/// `batches` products of one panel width: C = A * B, each from `rows` rows of A of `segments` runs of `depth`
/// contiguous values.
///
/// C[i, 0..<panel] = sum over s, k of A[s * segmentStride + i * rowStride + k] * B[(s * depth + k) * bStride ...],
/// added to C if `accumulate`; then `bias` (panel values) is added, ReLU applied, and 0 stored where `mask`, laid
/// out as C, is not positive. `streamed` stores C past the caches; its rows then begin at multiples of 64 bytes. Batch n
/// starts at n * aBatch, n * bBatch and n * cBatch. With `pairs`, elements of A and B are pairs of bfloat16, and each depth
/// adds two products (AVX512-BF16 only). Meanwhile about `aheadLines` cache lines from `ahead` on are fetched.
@inline(never)
public func kernelProductByRows(
  _ batches: Int, _ aBatch: Int, _ bBatch: Int, _ cBatch: Int, _ rows: Int, _ segments: Int, _ depth: Int,
  _ a: UnsafePointer<Float>, _ segmentStride: Int, _ rowStride: Int, _ b: UnsafePointer<Float>,
  _ bStride: Int, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool,
  _ bias: UnsafePointer<Float>?, _ relu: Bool, _ mask: UnsafePointer<Float>?, _ streamed: Bool, _ pairs: Bool,
  _ ahead: UnsafePointer<Float>, _ aheadLines: Int
) {
  forTiles(batches, rows, b, bBatch, segments * depth, bStride, ahead, aheadLines) {
    batch, row, count, next in
    let offset = batch * cBatch + row * cRowStride
    let tile = RowsTile<Floats>(
      segments: segments, depth: depth, a: a + batch * aBatch + row * rowStride,
      segmentStride: segmentStride, rowStride: rowStride, b: b + batch * bBatch, bStride: bStride,
      c: c + offset, cRowStride: cRowStride,
      finish: Finish(
        accumulate: accumulate, bias: bias, relu: relu, mask: mask == nil ? nil : mask! + offset,
        streamed: streamed),
      next: next)
    guard segments > 0, depth > 0 else { return emptyTile(count, tile.c, cRowStride, tile.finish) }
    #if VECTOR512
      if pairs { return dispatch(count, tile.ofPairs) }
    #endif
    dispatch(count, tile)
  }
}

/// A tile of A's rows; see ``contiguousDepth``.
private struct RowsTile<E: Elements>: ForEachHeight {
  let (segments, depth): (Int, Int)
  let a: UnsafePointer<Float>
  let (segmentStride, rowStride): (Int, Int)
  let b: UnsafePointer<Float>
  let bStride: Int
  let c: UnsafeMutablePointer<Float>
  let cRowStride: Int
  let finish: Finish
  let next: Upcoming

  @inline(__always) func run<let Rows: Int>(_ rows: InlineArray<Rows, Void>.Type) {
    contiguousDepth(
      E.self, rows, segments, depth, a, segmentStride, rowStride, b, bStride, c, cRowStride, finish, next)
  }

  #if VECTOR512
    var ofPairs: RowsTile<Pairs> {
      RowsTile<Pairs>(
        segments: segments, depth: depth, a: a, segmentStride: segmentStride, rowStride: rowStride, b: b,
        bStride: bStride, c: c, cRowStride: cRowStride, finish: finish, next: next)
    }
  #endif
}

/// As ``kernelProductByRows``, with one segment and the rows of A next to each other: row i at depth k lies at
/// A[k * depthStride + i]. Without a `depthStride`, A is in the tiles of ``kernelGatherTiles``: depth k of row i of
/// a tile of `height` rows lies at A[k * height + i] of the tile.
@inline(never)
public func kernelProductByColumns(
  _ batches: Int, _ aBatch: Int, _ bBatch: Int, _ cBatch: Int, _ rows: Int, _: Int, _ depth: Int,
  _ a: UnsafePointer<Float>, _: Int, _ depthStride: Int, _ b: UnsafePointer<Float>,
  _ bStride: Int, _ c: UnsafeMutablePointer<Float>, _ cRowStride: Int, _ accumulate: Bool,
  _ bias: UnsafePointer<Float>?, _ relu: Bool, _ mask: UnsafePointer<Float>?, _ streamed: Bool, _ pairs: Bool,
  _ ahead: UnsafePointer<Float>, _ aheadLines: Int
) {
  forTiles(batches, rows, b, bBatch, depth, bStride, ahead, aheadLines) { batch, row, count, next in
    let offset = batch * cBatch + row * cRowStride
    let (start, stride) = depthStride > 0 ? (row, depthStride) : (row * depth, count)
    let tile = ColumnsTile<Floats>(
      depth: depth, a: a + batch * aBatch + start, depthStride: stride, b: b + batch * bBatch,
      bStride: bStride, c: c + offset, cRowStride: cRowStride,
      finish: Finish(
        accumulate: accumulate, bias: bias, relu: relu, mask: mask == nil ? nil : mask! + offset,
        streamed: streamed),
      next: next)
    guard depth > 0 else { return emptyTile(count, tile.c, cRowStride, tile.finish) }
    #if VECTOR512
      if pairs { return dispatch(count, tile.ofPairs) }
    #endif
    dispatch(count, tile)
  }
}

/// A tile of A's columns; see ``contiguousRows``.
private struct ColumnsTile<E: Elements>: ForEachHeight {
  let depth: Int
  let a: UnsafePointer<Float>
  let depthStride: Int
  let b: UnsafePointer<Float>
  let bStride: Int
  let c: UnsafeMutablePointer<Float>
  let cRowStride: Int
  let finish: Finish
  let next: Upcoming

  @inline(__always) func run<let Rows: Int>(_ rows: InlineArray<Rows, Void>.Type) {
    contiguousRows(E.self, rows, depth, a, depthStride, b, bStride, c, cRowStride, finish, next)
  }

  #if VECTOR512
    var ofPairs: ColumnsTile<Pairs> {
      ColumnsTile<Pairs>(
        depth: depth, a: a, depthStride: depthStride, b: b, bStride: bStride, c: c, cRowStride: cRowStride,
        finish: finish, next: next)
    }
  #endif
}

/// Copies B (depth x columns, `rowStride` between rows) into zero-padded panels [columns / panel][depth][panel].
@inline(never)
public func kernelPack(
  _ b: UnsafePointer<Float>, _ rowStride: Int, _ depth: Int, _ columns: Int,
  _ panels: UnsafeMutablePointer<Float>
) {
  for k in 0..<depth {
    let source = b + k * rowStride
    var target = panels + k * panelWidth
    var column = 0
    while column + panelWidth <= columns {
      store(target, load(source + column))
      store(target + width, load(source + column + width))
      target += depth * panelWidth
      column += panelWidth
    }
    if column < columns {
      for j in 0..<panelWidth { target[j] = column + j < columns ? source[column + j] : 0 }
    }
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
