import Foundation

/// 1 / (1 + e^-x), without overflow.
func sigmoid(_ x: Double) -> Double {
  x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
}

/// log(1 + e^x), without overflow.
func softplus(_ x: Double) -> Double {
  max(x, 0) + log1p(exp(-abs(x)))
}

/// The entropy of the two probabilities sigmoid(x) and sigmoid(-x), in nats.
func binaryEntropy(_ x: Double) -> Double {
  sigmoid(x) * softplus(-x) + sigmoid(-x) * softplus(x)
}
