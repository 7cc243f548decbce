import Foundation

/// Distribution functions in Double. Survival functions are computed directly and not as 1 - CDF, so that
/// small probabilities keep their relative accuracy down to about 1e-300.
public enum Distributions {
  /// The probability that a standard normal number is at most `x`.
  public static func normalCDF(_ x: Double) -> Double { normalSurvival(-x) }

  /// The probability that a standard normal number is above `x`.
  public static func normalSurvival(_ x: Double) -> Double { erfc(x / 2.squareRoot()) / 2 }

  /// The number below which a standard normal number lies with this probability; infinite at 0 and 1.
  ///
  /// Starts at formula 26.2.23 of Abramowitz and Stegun (error below 4.5e-4) and takes three steps of
  /// Halley's method, each of which triples the number of correct digits.
  ///
  /// - Precondition: `probability` lies in [0, 1].
  public static func normalQuantile(_ probability: Double) -> Double {
    precondition(0...1 ~= probability, "A probability lies in [0, 1].")
    if probability > 0.5 { return -normalQuantile(1 - probability) }
    if probability == 0 { return -.infinity }
    let t = (-2 * log(probability)).squareRoot()
    let rational =
      (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    var x = rational - t
    for _ in 0..<3 {
      let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
      let step = (normalCDF(x) - probability) / density
      x -= step / (1 + x * step / 2)
    }
    return x
  }

  /// The probability that a number of Student's t distribution is at most `t`.
  ///
  /// - Parameter degrees: The degrees of freedom, above 0.
  public static func studentTCDF(_ t: Double, degrees: Double) -> Double {
    studentTSurvival(-t, degrees: degrees)
  }

  /// The probability that a number of Student's t distribution is above `t`.
  ///
  /// - Parameter degrees: The degrees of freedom, above 0.
  public static func studentTSurvival(_ t: Double, degrees: Double) -> Double {
    precondition(degrees > 0, "There must be degrees of freedom.")
    let square = t * t
    guard square.isFinite else { return t > 0 ? 0 : 1 }
    let sum = degrees + square
    if t > 0 { return regularizedBeta(degrees / sum, complement: square / sum, degrees / 2, 0.5) / 2 }
    return 0.5 + regularizedBeta(square / sum, complement: degrees / sum, 0.5, degrees / 2) / 2
  }

  /// The number below which a number of Student's t distribution lies with this probability; infinite at 0
  /// and 1.
  ///
  /// Found by bisection down to neighbouring numbers.
  ///
  /// - Parameters:
  ///   - probability: In [0, 1].
  ///   - degrees: The degrees of freedom, above 0.
  public static func studentTQuantile(_ probability: Double, degrees: Double) -> Double {
    precondition(0...1 ~= probability, "A probability lies in [0, 1].")
    if probability < 0.5 { return -upperT(probability, degrees) }
    return probability == 0.5 ? 0 : upperT(1 - probability, degrees)
  }

  /// The positive number above which t lies with probability `tail`, which is below 0.5.
  static func upperT(_ tail: Double, _ degrees: Double) -> Double {
    var (lower, upper) = (0.0, 1.0)
    while upper.isFinite, studentTSurvival(upper, degrees: degrees) > tail {
      (lower, upper) = (upper, upper * 2)
    }
    guard upper.isFinite, tail > 0 else { return .infinity }
    while true {
      let middle = (lower + upper) / 2
      guard lower < middle, middle < upper else { return middle }
      if studentTSurvival(middle, degrees: degrees) > tail { lower = middle } else { upper = middle }
    }
  }

  /// The probability that a number of the chi-squared distribution is above `x`.
  ///
  /// - Parameter degrees: The degrees of freedom, above 0.
  public static func chiSquaredSurvival(_ x: Double, degrees: Double) -> Double {
    precondition(degrees > 0, "There must be degrees of freedom.")
    return x > 0 ? regularizedUpperGamma(degrees / 2, x / 2) : 1
  }
}
