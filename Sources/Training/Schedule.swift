import Foundation

/// How the learning rate changes over a run.
public enum Schedule: String, Sendable, CaseIterable, Codable {
  /// Always the base rate.
  case constant
  /// Up from 1/25 of the base rate along a cosine over the first 30 % of the steps, then down to 1/250,000
  /// (Smith 2018, with PyTorch's `OneCycleLR` defaults; the momentum stays).
  case oneCycle = "one-cycle"
  /// Down from the base rate to 0 along half a cosine.
  case cosine
  /// The base rate, a tenth of it from half of the epochs on, a hundredth from three quarters on.
  case multiStep = "multi-step"

  /// The factor on the base rate at a step.
  /// - Parameters:
  ///   - step: from 0.
  ///   - total: number of steps of the whole run.
  public func factor(step: Int, of total: Int) -> Double {
    switch self {
    case .constant: 1
    case .oneCycle: oneCycleFactor(Double(step), Double(total))
    case .cosine: 0.5 * (1 + cos(.pi * Double(step) / Double(max(1, total))))
    case .multiStep: step * 4 >= total * 3 ? 0.01 : step * 2 >= total ? 0.1 : 1
    }
  }

  private func oneCycleFactor(_ step: Double, _ total: Double) -> Double {
    let (first, final) = (1.0 / 25, 1.0 / 250_000)
    let (peak, last) = (0.3 * total - 1, total - 1)
    func anneal(_ a: Double, _ b: Double, _ share: Double) -> Double {
      b + (a - b) / 2 * (1 + cos(.pi * share))
    }
    if step <= peak { return anneal(first, 1, peak > 0 ? step / peak : 1) }
    return anneal(1, final, last > peak ? min(1, (step - peak) / (last - peak)) : 1)
  }
}
