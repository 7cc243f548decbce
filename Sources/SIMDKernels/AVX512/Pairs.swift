// Pairs of bfloat16 in place of floats, for products with AVX512-BF16.

internal import CSIMD

/// Rounds a matrix to bfloat16 and joins neighbours: row r of `columns` values becomes (columns + 1) / 2 pairs, the last
/// one with 0 if columns are odd.
@inline(never)
public func kernelPairColumns(
  _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ pairs: UnsafeMutablePointer<Float>
) {
  let pairColumns = (columns + 1) / 2
  for row in 0..<rows {
    let (source, target) = (x + row * columns, pairs + row * pairColumns)
    var column = 0
    while column < columns {
      let (first, second) = (mask(columns - column), mask(columns - column - width))
      vector_store_masked(
        target + column / 2,
        vector_pairs(
          vector_load_masked(source + column, first), vector_load_masked(source + column + width, second)),
        mask(pairColumns - column / 2))
      column += 2 * width
    }
  }
}

/// Rounds a matrix to bfloat16 and joins rows 2 r and 2 r + 1: (rows + 1) / 2 rows of pairs, the last one with 0 if
/// rows are odd. The result may take the place of the matrix.
@inline(never)
public func kernelPairRows(
  _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ pairs: UnsafeMutablePointer<Float>
) {
  for pair in 0..<(rows + 1) / 2 {
    let (source, target) = (x + 2 * pair * columns, pairs + pair * columns)
    let isWhole = 2 * pair + 1 < rows
    var column = 0
    while column < columns {
      let mask = mask(columns - column)
      vector_store_masked(
        target + column,
        vector_pairs_of_lanes(
          vector_load_masked(source + column, mask),
          isWhole ? vector_load_masked(source + columns + column, mask) : .zero),
        mask)
      column += width
    }
  }
}

/// A bit for each of the first `count` lanes.
@inline(__always)
private func mask(_ count: Int) -> UInt16 {
  count >= width ? .max : count <= 0 ? 0 : UInt16(truncatingIfNeeded: (1 << count) - 1)
}
