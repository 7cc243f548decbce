/// Gradient descent on log(1 + exp(-w (m - c))) over one weight w from 0: logistic regression on separable
/// data whose samples all have the margin w m, of which an adversary takes w c.
///
/// The loss falls for ever, so the clean margin depends on the number of steps. What the loss sees is the
/// reduced margin w (m - c); for the same reduced margin the adversary's model needs the larger w.
///
/// - Parameters:
///   - margin: m, positive.
///   - reduction: c, in 0 ..< m.
///   - rate: The step size.
///   - steps: How many steps.
/// - Returns: The clean margin w m, which is the gap of the two logits.
public func descentMargin(margin: Double = 1, reduction: Double, rate: Double = 0.1, steps: Int = 20_000)
  -> Double
{
  precondition(margin > 0 && reduction >= 0 && reduction < margin, "The data must stay separable.")
  let reduced = margin - reduction
  let weight = (0..<steps).reduce(0.0) { weight, _ in
    weight + rate * reduced * sigmoid(-weight * reduced)
  }
  return weight * margin
}
