// Tiles of Winograd's F(4x4, 3x3): see WinogradTransforms.swift. Every function works on vectors of channels; `scratch`
// holds 36 vectors. Transformed tiles lie `tileStride` apart, and their points `pointStride`.

internal import CSIMD

/// One 6x6 tile of `channels` (at least a vector of) channels, whose point (i, j) is number 6 i + j of v.
///
/// - Parameters:
///   - x: where pixel (0, 0) would lie; only those from (firstRow, firstColumn), each at most 2, up to (rows, columns)
///     lie inside the image. Others count as 0.
@inline(never)
public func kernelWinogradInput(
  _ x: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ firstRow: Int, _ firstColumn: Int,
  _ rows: Int, _ columns: Int, _ channels: Int, _ v: UnsafeMutablePointer<Float>, _ pointStride: Int,
  _ tile: Int, _ tileStride: Int, _ scratch: UnsafeMutablePointer<Float>
) {
  let v = v + tile * tileStride
  prefetchPixels(x + 6 * pixelStride, rowStride, rows: 6, 4 * pixelStride)
  let isWide = firstColumn < 1 && columns > 5
  forVectors(channels) { c in
    for i in 0..<6 {
      let row = x + c + i * rowStride
      if i < firstRow || i >= rows {
        put(zeros, scratch + i * width, 6 * width)
      } else if isWide {
        put(winogradInput(six(row, pixelStride)), scratch + i * width, 6 * width)
      } else {
        put(winogradInput(six(row, pixelStride, firstColumn, columns)), scratch + i * width, 6 * width)
      }
    }
    for j in 0..<6 {
      put(winogradInput(six(scratch + j * 6 * width, width)), v + c + j * pointStride, 6 * pointStride)
    }
  }
}

private var zeros: SixVectors { (.zero, .zero, .zero, .zero, .zero, .zero) }

/// Pixels of a row from `first`, at most 2, up to `end`; others are 0.
@inline(__always)
private func six(_ row: UnsafePointer<Float>, _ step: Int, _ first: Int, _ end: Int) -> SixVectors {
  (
    first < 1 ? load(row) : .zero, first < 2 && end > 1 ? load(row + step) : .zero,
    end > 2 ? load(row + 2 * step) : .zero, end > 3 ? load(row + 3 * step) : .zero,
    end > 4 ? load(row + 4 * step) : .zero, end > 5 ? load(row + 5 * step) : .zero
  )
}

/// A 4x4 tile of a panel of channels from the 36 products of m; then bias, ReLU.
///
/// - Parameters:
///   - rows: rows and columns of the tile that lie inside the image.
///   - channels: channels of the panel that exist.
///   - bias: panel values.
///   - streamed: whether whole rows are stored past the caches; then panels begin at multiples of a vector's size.
@inline(never)
public func kernelWinogradOutput(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ tile: Int, _ y: UnsafeMutablePointer<Float>,
  _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int, _ channels: Int,
  _ bias: UnsafePointer<Float>, _ relu: Bool, _ streamed: Bool, _ scratch: UnsafeMutablePointer<Float>
) {
  let m = m + tile * panelWidth
  let floor = vector_repeating(relu ? 0 : -.infinity)
  let streams = streamed && columns == 4 && channels == panelWidth
  if !streams { prefetchPanels(y + 4 * pixelStride, rowStride, pixelStride) }
  var c = 0
  while c < channels {
    outputColumns(m + c, pointStride, scratch)
    for i in 0..<rows {
      let sums = winogradOutput(six(scratch + i * 6 * width, width))
      finishPixels(
        sums, load(bias + c), floor, y + i * rowStride + c, pixelStride, columns, channels - c, streams,
        scratch + 24 * width)
    }
    c += width
  }
}

/// Stores the first `columns` of four pixels, of at most a vector of `channels`, after bias and ReLU. `aside` holds four
/// vectors.
@inline(__always)
func finishPixels(
  _ sums: FourVectors, _ bias: Vector, _ floor: Vector, _ y: UnsafeMutablePointer<Float>, _ pixelStride: Int,
  _ columns: Int, _ channels: Int, _ streams: Bool, _ aside: UnsafeMutablePointer<Float>
) {
  let r: FourVectors = (
    vector_at_least(sums.0 + bias, floor), vector_at_least(sums.1 + bias, floor),
    vector_at_least(sums.2 + bias, floor), vector_at_least(sums.3 + bias, floor)
  )
  if streams {
    stream(y, r.0)
    stream(y + pixelStride, r.1)
    stream(y + 2 * pixelStride, r.2)
    stream(y + 3 * pixelStride, r.3)
  } else if channels >= width {
    store(y, r.0)
    if columns > 1 { store(y + pixelStride, r.1) }
    if columns > 2 { store(y + 2 * pixelStride, r.2) }
    if columns > 3 { store(y + 3 * pixelStride, r.3) }
  } else {
    store(aside, r.0)
    store(aside + width, r.1)
    store(aside + 2 * width, r.2)
    store(aside + 3 * width, r.3)
    for j in 0..<columns {
      for k in 0..<channels { y[j * pixelStride + k] = aside[j * width + k] }
    }
  }
}

/// As ``kernelWinogradOutput`` for a whole panel, with ReLU and then the largest value of each 2x2 window: `rows` x
/// `columns` (1 or 2) values of y, and the number of the pixel, within its window, that holds each first.
@inline(never)
public func kernelWinogradOutputPooled(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ tile: Int, _ y: UnsafeMutablePointer<Float>,
  _ winner: UnsafeMutablePointer<UInt8>, _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int,
  _ bias: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
  let m = m + tile * panelWidth
  var c = 0
  while c < panelWidth {
    outputColumns(m + c, pointStride, scratch)
    let b = load(bias + c)
    for i in 0..<rows {
      let top = winogradOutput(six(scratch + 12 * i * width, width))
      let bottom = winogradOutput(six(scratch + (12 * i + 6) * width, width))
      let at = i * rowStride + c
      pool(top.0, top.1, bottom.0, bottom.1, b, y + at, winner + at)
      if columns > 1 {
        pool(top.2, top.3, bottom.2, bottom.3, b, y + at + pixelStride, winner + at + pixelStride)
      }
    }
    c += width
  }
}

/// A^T m for each of the six columns, row by row into scratch.
@inline(__always)
private func outputColumns(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ scratch: UnsafeMutablePointer<Float>
) {
  for j in 0..<6 {
    let r = winogradOutput(six(m + j * pointStride, 6 * pointStride))
    let target = scratch + j * width
    store(target, r.0)
    store(target + 6 * width, r.1)
    store(target + 12 * width, r.2)
    store(target + 18 * width, r.3)
  }
}

/// The largest of four pixels after bias and ReLU, as ``kernelMaxPool`` finds it.
@inline(__always)
private func pool(
  _ v0: Vector, _ v1: Vector, _ v2: Vector, _ v3: Vector, _ bias: Vector, _ y: UnsafeMutablePointer<Float>,
  _ winner: UnsafeMutablePointer<UInt8>
) {
  var largest = positive(v0 + bias)
  var numbers = Numbers.zero
  takeLarger(&largest, &numbers, positive(v1 + bias), 1)
  takeLarger(&largest, &numbers, positive(v2 + bias), 2)
  takeLarger(&largest, &numbers, positive(v3 + bias), 3)
  store(y, largest)
  vector_store_bytes(winner, numbers)
}

/// Stores a pixel, masked.
@inline(__always)
private func put(
  _ v: Vector, _ y: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>?, _ at: Int
) {
  if let mask {
    store(y + at, masked(v, load(mask + at)))
  } else {
    store(y + at, v)
  }
}

/// Asks for `count` floats of each row: what the next tile to the right reads.
@inline(__always)
func prefetchPixels(_ x: UnsafePointer<Float>, _ rowStride: Int, rows: Int, _ count: Int) {
  for i in 0..<rows {
    var at = 0
    while at < count {
      prefetch_near(x + i * rowStride + at)
      at += 16
    }
  }
}

/// Asks for a panel of each of the 4x4 pixels from y on.
@inline(__always)
func prefetchPanels(_ y: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int) {
  for j in 0..<4 { prefetchPixels(y + j * pixelStride, rowStride, rows: 4, panelWidth) }
}

/// Four pixels of a row; those from `end` on are 0.
@inline(__always)
func pixels(_ row: UnsafePointer<Float>, _ step: Int, _ end: Int) -> FourVectors {
  (
    end > 0 ? load(row) : .zero, end > 1 ? load(row + step) : .zero, end > 2 ? load(row + 2 * step) : .zero,
    end > 3 ? load(row + 3 * step) : .zero
  )
}

/// One 4x4 tile of a panel of an output's gradient. Only the first `rows` and `columns` of it lie inside the image; others
/// count as 0.
@inline(never)
public func kernelWinogradOutputGradient(
  _ dy: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ rows: Int, _ columns: Int,
  _ d: UnsafeMutablePointer<Float>, _ pointStride: Int, _ tile: Int, _ tileStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  let d = d + tile * tileStride
  prefetchPanels(dy + 4 * pixelStride, rowStride, pixelStride)
  forVectors(panelWidth) { c in
    for i in 0..<4 {
      let values = pixels(dy + c + i * rowStride, pixelStride, i < rows ? columns : 0)
      put(winogradOutputGradient(values), scratch + i * width, 4 * width)
    }
    outputGradientColumns(scratch, d + c, pointStride)
  }
}

/// As ``kernelWinogradOutputGradient`` for a convolution whose output was max-pooled: `dy` and `winner` hold `rows` x
/// `columns` (0 to 2) windows of 2x2, as ``kernelWinogradOutputPooled`` stored them.
@inline(never)
public func kernelWinogradOutputGradientPooled(
  _ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>, _ rowStride: Int, _ pixelStride: Int,
  _ rows: Int, _ columns: Int, _ d: UnsafeMutablePointer<Float>, _ pointStride: Int, _ tile: Int,
  _ tileStride: Int, _ scratch: UnsafeMutablePointer<Float>
) {
  let d = d + tile * tileStride
  let zero = vector_repeating(0)
  forVectors(panelWidth) { c in
    for i in 0..<2 {
      let at = c + i * rowStride
      let left = i < rows && columns > 0 ? window(dy + at, winner + at) : (zero, zero, zero, zero)
      let right =
        i < rows && columns > 1
        ? window(dy + at + pixelStride, winner + at + pixelStride) : (zero, zero, zero, zero)
      put(winogradOutputGradient((left.0, left.1, right.0, right.1)), scratch + 2 * i * width, 4 * width)
      put(
        winogradOutputGradient((left.2, left.3, right.2, right.3)), scratch + (2 * i + 1) * width, 4 * width)
    }
    outputGradientColumns(scratch, d + c, pointStride)
  }
}

/// The four pixels of a window: its gradient at the winner.
@inline(__always)
private func window(_ dy: UnsafePointer<Float>, _ winner: UnsafePointer<UInt8>) -> FourVectors {
  let v = load(dy)
  return (
    vector_where_byte(v, winner, 0), vector_where_byte(v, winner, 1), vector_where_byte(v, winner, 2),
    vector_where_byte(v, winner, 3)
  )
}

/// A of the four values in each of the six columns of scratch.
@inline(__always)
private func outputGradientColumns(
  _ scratch: UnsafePointer<Float>, _ d: UnsafeMutablePointer<Float>, _ pointStride: Int
) {
  for j in 0..<6 {
    let at = scratch + j * 4 * width
    let values = (load(at), load(at + width), load(at + 2 * width), load(at + 3 * width))
    put(winogradOutputGradient(values), d + j * pointStride, 6 * pointStride)
  }
}

/// Adds the 6x6 pixels of a panel of an input's gradient from the 36 products of m.
///
/// - Parameters:
///   - dx: where pixel (0, 0) would lie; only those from (firstRow, firstColumn), each at most 2, up to (rows,
///     columns) lie inside the image.
///   - addsRows: whether the first two rows hold values of the tile above; `addsColumns`: the first two columns those
///     of the tile to the left. Everything else is overwritten.
///   - doneRows: rows that no tile below will add to; `doneColumns`: columns that no tile to the right will. Pixels
///     in both are masked.
///   - mask: laid out as dx, or nil.
@inline(never)
public func kernelWinogradInputGradient(
  _ m: UnsafePointer<Float>, _ pointStride: Int, _ tile: Int, _ dx: UnsafeMutablePointer<Float>,
  _ rowStride: Int, _ pixelStride: Int, _ firstRow: Int, _ firstColumn: Int, _ rows: Int, _ columns: Int,
  _ addsRows: Bool, _ addsColumns: Bool, _ doneRows: Int, _ doneColumns: Int, _ mask: UnsafePointer<Float>?,
  _ scratch: UnsafeMutablePointer<Float>
) {
  let m = m + tile * panelWidth
  forVectors(panelWidth) { c in
    for j in 0..<6 {
      put(
        winogradInputGradient(six(m + c + j * pointStride, 6 * pointStride)), scratch + j * width, 6 * width)
    }
    for i in firstRow..<rows {
      var r = winogradInputGradient(six(scratch + i * 6 * width, width))
      let row = dx + c + i * rowStride
      let addsAll = i < 2 && addsRows
      if addsAll || addsColumns {
        if firstColumn < 1 { r.0 = r.0 + load(row) }
        if firstColumn < 2, columns > 1 { r.1 = r.1 + load(row + pixelStride) }
      }
      if addsAll {
        if columns > 2 { r.2 = r.2 + load(row + 2 * pixelStride) }
        if columns > 3 { r.3 = r.3 + load(row + 3 * pixelStride) }
        if columns > 4 { r.4 = r.4 + load(row + 4 * pixelStride) }
        if columns > 5 { r.5 = r.5 + load(row + 5 * pixelStride) }
      }
      let rowMask = i < doneRows ? mask.map { $0 + c + i * rowStride } : nil
      let lastMask = doneColumns > 4 ? rowMask : nil
      if firstColumn < 1 { put(r.0, row, rowMask, 0) }
      if firstColumn < 2, columns > 1 { put(r.1, row, rowMask, pixelStride) }
      if columns > 2 { put(r.2, row, rowMask, 2 * pixelStride) }
      if columns > 3 { put(r.3, row, rowMask, 3 * pixelStride) }
      if columns > 4 { put(r.4, row, lastMask, 4 * pixelStride) }
      if columns > 5 { put(r.5, row, lastMask, 5 * pixelStride) }
    }
  }
}

/// One 3x3 filter for a panel of outputs; `w` has `tapStride` between taps and a whole panel in each.
@inline(never)
public func kernelWinogradFilter(
  _ w: UnsafePointer<Float>, _ tapStride: Int, _ u: UnsafeMutablePointer<Float>, _ pointStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  forVectors(panelWidth) { c in
    for r in 0..<3 {
      let row = w + c + r * 3 * tapStride
      put(
        winogradFilter((load(row), load(row + tapStride), load(row + 2 * tapStride))), scratch + r * width,
        3 * width)
    }
    for j in 0..<6 {
      let at = scratch + j * 3 * width
      put(
        winogradFilter((load(at), load(at + width), load(at + 2 * width))), u + c + j * pointStride,
        6 * pointStride)
    }
  }
}

/// The gradient of a 3x3 filter for a panel of outputs from that of its 36 points.
@inline(never)
public func kernelWinogradFilterGradient(
  _ u: UnsafePointer<Float>, _ pointStride: Int, _ w: UnsafeMutablePointer<Float>, _ tapStride: Int,
  _ scratch: UnsafeMutablePointer<Float>
) {
  forVectors(panelWidth) { c in
    for j in 0..<6 {
      let r = winogradFilterGradient(six(u + c + j * pointStride, 6 * pointStride))
      store(scratch + j * width, r.0)
      store(scratch + (6 + j) * width, r.1)
      store(scratch + (12 + j) * width, r.2)
    }
    for i in 0..<3 {
      let r = winogradFilterGradient(six(scratch + i * 6 * width, width))
      let target = w + c + i * 3 * tapStride
      store(target, r.0)
      store(target + tapStride, r.1)
      store(target + 2 * tapStride, r.2)
    }
  }
}
