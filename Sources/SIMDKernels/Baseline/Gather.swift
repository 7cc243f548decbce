// Copies of the left operand whose rows lie next to each other in memory, in the order in which tiles read it.

internal import CSIMD

/// Copies rows `first` ..< `first + rows` of A into tiles, which are as high as those of ``kernelProductByColumns``:
/// tile by tile [tileDepth][height]. Rows come in runs of `runLength` neighbours, `runStride` between the runs'
/// starts; depths in `segments` of `depth`: the value of row (run, i) at depth (s, k) is
/// A[run * runStride + i + s * segmentStride + k * depthStride]. They go to the depths from `firstDepth` on.
@inline(never)
public func kernelGatherTiles(
  _ a: UnsafePointer<Float>, _ first: Int, _ rows: Int, _ runLength: Int, _ runStride: Int, _ segments: Int,
  _ segmentStride: Int, _ depth: Int, _ depthStride: Int, _ tiles: UnsafeMutablePointer<Float>,
  _ tileDepth: Int, _ firstDepth: Int
) {
  let count = (rows + maximumRows - 1) / maximumRows
  var row = 0
  for tile in 0..<count {
    let height = rows / count + (tile < rows % count ? 1 : 0)
    var done = 0
    while done < height {
      let (run, at) = ((first + row + done) / runLength, (first + row + done) % runLength)
      let count = min(height - done, runLength - at)
      let source = a + run * runStride + at
      let target = tiles + row * tileDepth + firstDepth * height + done
      for segment in 0..<segments {
        dispatch(
          count,
          GatheredRows(
            source: source + segment * segmentStride, depth: depth, depthStride: depthStride,
            target: target + segment * depth * height, height: height))
      }
      done += count
    }
    row += height
  }
}

/// Copies `Count` < 16 values, in as few moves as there are bits set.
@inline(__always)
private func copy<let Count: Int>(
  _: InlineArray<Count, Void>.Type, _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
) {
  #if VECTOR512
    if Count > 4 {
      let mask = UInt16(truncatingIfNeeded: (1 << Count) - 1)
      vector_store_masked(target, vector_load_masked(source, mask), mask)
      return
    }
  #endif
  let (from, to) = (UnsafeRawPointer(source), UnsafeMutableRawPointer(target))
  if Count & 8 != 0 { to.storeBytes(of: from.loadUnaligned(as: SIMD8<Float>.self), as: SIMD8<Float>.self) }
  let four = (Count & 8) * 4
  if Count & 4 != 0 {
    let values = from.loadUnaligned(fromByteOffset: four, as: SIMD4<Float>.self)
    to.storeBytes(of: values, toByteOffset: four, as: SIMD4<Float>.self)
  }
  let two = (Count & 12) * 4
  if Count & 2 != 0 {
    let values = from.loadUnaligned(fromByteOffset: two, as: SIMD2<Float>.self)
    to.storeBytes(of: values, toByteOffset: two, as: SIMD2<Float>.self)
  }
  if Count & 1 != 0 { target[Count & 14] = source[Count & 14] }
}

/// Copies of as many values as the tile has rows, one per depth.
private struct GatheredRows: ForEachHeight {
  let source: UnsafePointer<Float>
  let (depth, depthStride): (Int, Int)
  let target: UnsafeMutablePointer<Float>
  let height: Int

  @inline(__always) func run<let Count: Int>(_ count: InlineArray<Count, Void>.Type) {
    var (source, target) = (source, target)
    var left = depth
    while left > 0 {
      copy(count, source, target)
      source += depthStride
      target += height
      left -= 1
    }
  }
}
