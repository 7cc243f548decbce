import Foundation

/// A number for people: about four significant digits, exponents only for the very large and very small.
func shortText(_ value: Double) -> String {
  let size = abs(value)
  if value == value.rounded(), size < 1e15 { return grouped(Int(value)) }
  if size >= 1e6 || size < 1e-4 { return String(format: "%.3e", value) }
  let decimals = size >= 1_000 ? 1 : max(0, 3 - Int(log10(size).rounded(.down)))
  return String(format: "%.*f", decimals, value)
}

/// A whole number with commas between groups of three digits.
func grouped(_ value: Int) -> String {
  var digits = String(value.magnitude)
  var groups: [String] = []
  while digits.count > 3 {
    groups.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

/// A share in [0, 1] as a percentage with one decimal.
func percentText(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }
