import Devices
import Synchronization

/// What the tuner measured on one device: plans by classes of shapes.
package struct TuningTable: Equatable, Sendable {
  /// A class of products: the kernel, and the binary logarithm of each extent, rounded up.
  package struct Key: Hashable, Codable, Sendable, CustomStringConvertible {
    let kind: ProductKind
    let rows, columns, depth, batch: Int

    package init(_ kind: ProductKind, _ shape: ProductShape) {
      func logarithm(_ extent: Int) -> Int {
        extent <= 1 ? 0 : Int.bitWidth - (extent - 1).leadingZeroBitCount
      }
      self.kind = kind
      (rows, columns) = (logarithm(shape.rows), logarithm(shape.columns))
      (depth, batch) = (logarithm(shape.depth), logarithm(shape.batch))
    }

    package var description: String {
      "\(kind.rawValue) 2^\(rows) x 2^\(columns) x 2^\(depth)" + (batch > 0 ? " x 2^\(batch)" : "")
    }
  }

  /// The result of one class.
  package struct Entry: Codable, Equatable, Sendable {
    package var plan: ProductPlan
    /// Milliseconds of the plan and of the shipped one, on the shape that was measured.
    package var milliseconds, shippedMilliseconds: Double
    /// The extent of Winograd's tiles where that was faster, 0 for direct; nil where it was not measured.
    package var winogradExtent: Int?
    /// How many of the candidates have been measured, and whether those are the quick list's.
    package var tried: Int
    package var isQuick: Bool

    package init(
      plan: ProductPlan, milliseconds: Double, shippedMilliseconds: Double, winogradExtent: Int?, tried: Int,
      isQuick: Bool
    ) {
      (self.plan, self.milliseconds, self.shippedMilliseconds) = (plan, milliseconds, shippedMilliseconds)
      (self.winogradExtent, self.tried, self.isQuick) = (winogradExtent, tried, isQuick)
    }
  }

  package var entries: [Key: Entry] = [:]

  package init() {}

  func plan(_ kind: ProductKind, _ shape: ProductShape) -> ProductPlan? {
    entries.isEmpty ? nil : entries[Key(kind, shape)]?.plan
  }

  /// The extent of Winograd's tiles for a convolution, 0 for none; nil if the tuner did not measure it.
  func winogradExtent(_ kind: ProductKind, _ g: ConvolutionGeometry) -> Int? {
    entries.isEmpty ? nil : entries[Key(kind, g.shape(kind))]?.winogradExtent
  }
}

extension TuningTable {
  /// The table that every device uses; for the tuner and tests.
  @TaskLocal package static var current: TuningTable?
  private static let loaded = Mutex<[String: TuningTable]>([:])

  /// The table of a device and its precision, read once from the cache folder; empty without one.
  package static func of(_ device: OpenCL) -> TuningTable {
    if let current { return current }
    return loaded.withLock { tables in
      let key = "\(device.info.index) \(device.precision)"
      if let table = tables[key] { return table }
      let table = TuningFile(device.info, device.precision)?.readOrWarn() ?? TuningTable()
      tables[key] = table
      return table
    }
  }
}

extension ConvolutionGeometry {
  /// The product that a direction amounts to.
  func shape(_ kind: ProductKind) -> ProductShape {
    switch kind {
    case .inputGradient: inputGradientShape
    case .weightGradient: weightGradientShape
    case .convolution, .product: productShape
    }
  }
}
