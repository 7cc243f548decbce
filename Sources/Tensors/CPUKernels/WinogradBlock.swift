/// How the products of some tiles lie in memory, before as after the multiplication with filters: by points, by tiles.
struct WinogradBlock {
  /// Points with as many products per tile each.
  struct Part {
    let points: Range<Int>
    let productsPerTile: Int
    /// Floats up to the first point, and from one to the next.
    let offset: Int
    let pointStride: Int
  }

  /// Floats from tile to tile, and from point to point of one product per tile. The odd cache line keeps points apart in
  /// the cache's sets.
  let tileStride: Int
  let pointStride: Int
  let floats: Int
  /// What each of a few multiplications takes.
  let parts: [Part]

  /// Room for so many tiles.
  init(_ tiles: WinogradTiles, count: Int, tileStride: Int) {
    self.tileStride = tileStride
    let pointStride = count * tileStride + 16
    self.pointStride = pointStride
    floats = tiles.products * pointStride
    let kinds = tiles.geometry.stride == 1 ? [(18, 1), (18, 1)] : [(25, 1), (10, 4), (1, 16)]
    var (parts, point, product) = ([Part](), 0, 0)
    for (count, productsPerTile) in kinds {
      parts.append(
        Part(
          points: point..<point + count, productsPerTile: productsPerTile, offset: product * pointStride,
          pointStride: productsPerTile * pointStride))
      point += count
      product += count * productsPerTile
    }
    self.parts = parts
  }

  /// The part that a point belongs to.
  func part(of point: Int) -> Part { parts.first { $0.points.contains(point) }! }
}

/// Memory that is fetched ahead of its use, in cache lines.
struct Lines {
  /// No memory.
  static var none: Lines { Lines(UnsafePointer(bitPattern: 64)!, floats: 0) }

  let start: UnsafePointer<Float>
  let count: Int

  init(_ start: UnsafePointer<Float>, floats: Int) {
    self.start = start
    count = floats / 16
  }

  var halves: (Lines, Lines) { (part(0, of: 2), part(1, of: 2)) }

  /// One of about equal parts.
  func part(_ number: Int, of parts: Int) -> Lines {
    let (first, end) = (number * count / parts, (number + 1) * count / parts)
    return Lines(start + 16 * first, floats: 16 * (end - first))
  }
}
