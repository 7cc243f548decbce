import Foundation

/// Special functions that the distributions are made of. Continued fractions are evaluated by Lentz's method
/// with the forms of Press et al., "Numerical Recipes" (2007), sections 6.2 and 6.4.
extension Distributions {
  /// The regularised incomplete beta function I_x(a, b), in [0, 1].
  ///
  /// - Parameters:
  ///   - x: In [0, 1].
  ///   - complement: 1 - x, which the caller often knows without cancellation.
  ///   - a: Above 0.
  ///   - b: Above 0.
  package static func regularizedBeta(_ x: Double, complement y: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if y <= 0 { return 1 }
    if x > (a + 1) / (a + b + 2) { return 1 - regularizedBeta(y, complement: x, b, a) }
    let logX = x < 0.5 ? log(x) : log1p(-y)
    let logY = y < 0.5 ? log(y) : log1p(-x)
    let factor = exp(a * logX + b * logY - logBeta(a, b)) / a
    return factor / betaFraction(x, a, b)
  }

  private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    continuedFraction(first: 1) { term in
      let m = Double(term / 2)
      let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      return (term.isMultiple(of: 2) ? even : odd, 1)
    }
  }

  /// The regularised upper incomplete gamma function Q(a, x), in [0, 1], of `a` above 0 and `x` from 0.
  package static func regularizedUpperGamma(_ a: Double, _ x: Double) -> Double {
    if x <= 0 { return 1 }
    guard x.isFinite else { return 0 }
    if x < a + 1 { return 1 - gammaFactor(a, x) * gammaSeries(a, x) }
    let fraction = continuedFraction(first: x + 1 - a) { term in
      let n = Double(term)
      return (n * (a - n), x + 2 * n + 1 - a)
    }
    return gammaFactor(a, x) / fraction
  }

  /// The sum of x^n / (a (a + 1) ... (a + n)).
  private static func gammaSeries(_ a: Double, _ x: Double) -> Double {
    var (term, sum, n) = (1 / a, 1 / a, a)
    while term > sum * 1e-17 {
      n += 1
      term *= x / n
      sum += term
    }
    return sum
  }

  /// x^a exp(-x) / Gamma(a), for large `a` without cancelling its large factors.
  private static func gammaFactor(_ a: Double, _ x: Double) -> Double {
    guard a >= 10 else { return exp(a * log(x) - x - log(tgamma(a))) }
    let m = (x - a) / a
    let logRatio = m > -0.5 ? log1p(m) : log(x / a)
    return (a / (2 * .pi)).squareRoot() * exp(a * (logRatio - m) - stirlingCorrection(a))
  }

  /// The logarithm of the beta function, without the cancellation of three logarithms of gamma functions.
  static func logBeta(_ a: Double, _ b: Double) -> Double {
    let (p, q) = (min(a, b), max(a, b))
    if q < 10 { return log(tgamma(p)) + log(tgamma(q)) - log(tgamma(p + q)) }
    let correction = stirlingCorrection(q) - stirlingCorrection(p + q)
    let rest = (q - 0.5) * log1p(-p / (p + q))
    if p < 10 { return log(tgamma(p)) + correction + p - p * log(p + q) + rest }
    let logs = log(2 * .pi) / 2 - log(q) / 2 + (p - 0.5) * log(p / (p + q)) + q * log1p(-p / (p + q))
    return logs + correction + stirlingCorrection(p)
  }

  /// What Stirling's formula lacks of the logarithm of Gamma(x), for `x` from 10: the series in 1 / x.
  private static func stirlingCorrection(_ x: Double) -> Double {
    let s = 1 / (x * x)
    let tail = 1 / 1188 - s * (691 / 360360 - s / 156)
    return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * tail)))) / x
  }

  /// first + p(1) / (q(1) + p(2) / (q(2) + ...)) with (p(n), q(n)) = `term(n)`.
  private static func continuedFraction(first: Double, term: (Int) -> (Double, Double)) -> Double {
    let tiny = 1e-300
    var (value, c, d) = (first, first, 0.0)
    for n in 1...1_000_000 {
      let (p, q) = term(n)
      d = q + p * d
      c = q + p / c
      if abs(d) < tiny { d = tiny }
      if abs(c) < tiny { c = tiny }
      d = 1 / d
      value *= c * d
      if abs(c * d - 1) < 1e-15 { break }
    }
    return value
  }
}
