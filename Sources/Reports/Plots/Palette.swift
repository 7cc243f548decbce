/// The colours of plots. The hues are those of Okabe and Ito (2008, "Color Universal Design"), which people with
/// any colour vision can tell apart, darkened for white paper and lightened for dark screens so that each
/// contrasts at least 3 : 1 with its background. Dashes and markers tell curves apart without colour.
package enum Palette {
  /// The curves' colours on a light background: blue, vermilion, green, purple, ochre, grey.
  package static let light = ["#0072b2", "#d55e00", "#007f5f", "#a64d87", "#9a7000", "#5f6368"]
  /// The same hues on a dark background.
  package static let dark = ["#56b4e9", "#ff8f45", "#2fcf9f", "#e59cc8", "#f0c94a", "#b4b8be"]
  /// The pages' backgrounds.
  package static let lightBackground = "#ffffff"
  /// The background of dark pages.
  package static let darkBackground = "#14161a"
  /// gnuplot's dash patterns of the curves, in its units of line length.
  static let dashes = ["solid", "(16,6)", "(4,5)", "(18,6,4,6)", "(28,8)", "(10,5,4,5,4,5)"]
  /// gnuplot's filled markers: circle, square, triangle, diamond, triangle down, pentagon.
  static let markers = [7, 5, 9, 13, 11, 15]

  /// The colours as custom properties of a style sheet, `--series-1` and so on.
  static func properties(_ colors: [String]) -> String {
    colors.enumerated().map { "--series-\($0.offset + 1): \($0.element);" }.joined(separator: " ")
  }
}

/// Colours for the values of a heat map.
enum ColorMap {
  /// From little to much: matplotlib's viridis (Smith and van der Walt 2015) without its darkest quarter, which
  /// could not be told from a dark page.
  case sequential
  /// From below to above the middle: blue, near white, vermilion.
  case diverging

  private var anchors: [UInt32] {
    switch self {
    case .sequential:
      [0x3B528B, 0x2C728E, 0x21918C, 0x28AE80, 0x5EC962, 0xADDC30, 0xFDE725]
    case .diverging: [0x004C7A, 0x0072B2, 0xF4F4F4, 0xD55E00, 0x8F3F00]
    }
  }

  /// The colours of 64 equal steps; so few that images compress well.
  func steps() -> [RGB] {
    let anchors = anchors
    return (0..<64).map { step in
      let place = Double(step) / 63 * Double(anchors.count - 1)
      let lower = min(Int(place), anchors.count - 2)
      let fraction = place - Double(lower)
      func mixed(_ shift: UInt32) -> UInt8 {
        let a = Double(anchors[lower] >> shift & 0xFF)
        let b = Double(anchors[lower + 1] >> shift & 0xFF)
        return UInt8((a + (b - a) * fraction).rounded())
      }
      return RGB(mixed(16), mixed(8), mixed(0))
    }
  }
}
