import Devices

/// Stub, filled below.
package struct TuningTable {
  static func of(_ device: OpenCL) -> TuningTable? { nil }
  func plan(_ kind: ProductKind, _ shape: ProductShape) -> ProductPlan? { nil }
  func winogradExtent(_ kind: ProductKind, _ g: ConvolutionGeometry) -> Int? { nil }
}
