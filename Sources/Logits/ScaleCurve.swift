/// The adversarial loss of a network whose logits are multiplied by a factor s, attacked anew at every s:
/// L(s) = mean over samples of max CE(s z(x + d), y). It is convex in s, and L(0) = log K.
///
/// If L(1) is above log K, smaller logits have a smaller loss: the minimiser s* is below 1, and the logit gap of the scaled
/// network is s* times as large.
public struct ScaleCurve: Sendable, Equatable, Codable {
  /// Factors and losses, by factor; not empty.
  public let points: [Point]
  /// L(1) in nats.
  public let lossAtOne: Double
  /// log K.
  public let lossAtZero: Double

  /// One factor.
  public struct Point: Sendable, Equatable, Codable {
    /// The factor s.
    public let scale: Double
    /// L(s) in nats, as large as the attack finds.
    public let loss: Double

    /// A point of a curve.
    public init(scale: Double, loss: Double) {
      self.scale = scale
      self.loss = loss
    }
  }

  /// A curve of measured points.
  public init(points: [Point], lossAtOne: Double, lossAtZero: Double) {
    precondition(!points.isEmpty, "A curve needs points.")
    self.points = points
    self.lossAtOne = lossAtOne
    self.lossAtZero = lossAtZero
  }

  /// The factor s* of the smallest loss among the points and 0, where all classes are equally likely.
  public var best: Double {
    let lowest = points.min { $0.loss < $1.loss }!
    return lowest.loss < lossAtZero ? lowest.scale : 0
  }
  /// The loss at ``best``, in nats.
  public var lowestLoss: Double { min(lossAtZero, points.map(\.loss).min()!) }

  enum CodingKeys: String, CodingKey {
    case points
    case lossAtOne = "loss_at_one"
    case lossAtZero = "loss_at_zero"
  }
}
