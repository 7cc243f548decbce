/// What an Linf attack can take off the margins m_j = z_y - z_j of a network that is linear around each image, y the true class.
public struct LinearReductions: Sendable, Equatable, Codable {
  /// The radius of the attack in pixel units.
  public let epsilon: Double
  /// K.
  public let classCount: Int
  /// Epsilon times the L1 norm of m_j's gradient by the image; (N, K) row-major, 0 for j = y. Exact for a linear network
  /// whose pixels may take any value.
  public let ball: [Float]
  /// The same where pixels stay in [0, 1]: each term of the norm counts with as much of epsilon as its pixel can move; (N, K).
  public let clipped: [Float]

  /// Collects what was measured.
  public init(epsilon: Double, classCount: Int, ball: [Float], clipped: [Float]) {
    precondition(classCount >= 2 && ball.count % classCount == 0 && ball.count == clipped.count)
    (self.epsilon, self.classCount) = (epsilon, classCount)
    (self.ball, self.clipped) = (ball, clipped)
  }

  enum CodingKeys: String, CodingKey {
    case epsilon, ball, clipped
    case classCount = "class_count"
  }
}
