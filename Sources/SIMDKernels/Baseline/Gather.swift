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
        gather(
          count, source + segment * segmentStride, depth, depthStride, target + segment * depth * height,
          height)
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
      vector_copy_masked(target, source, UInt16(truncatingIfNeeded: (1 << Count) - 1))
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

@inline(__always)
private func gather(
  _ count: Int, _ source: UnsafePointer<Float>, _ depth: Int, _ depthStride: Int,
  _ target: UnsafeMutablePointer<Float>, _ height: Int
) {
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
  switch count {
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
}
