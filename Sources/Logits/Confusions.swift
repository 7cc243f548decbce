/// Which wrong classes lie nearest to the true ones: directed edges from true classes to others, as shares of the true class's
/// samples, in means over the networks of a kind. Written as JSON with snake_case keys.
public struct Confusions: Sendable, Equatable, Codable {
  /// The edges of the standard networks, the largest ``Edge/nearestShare`` first; at most ``mostEdges``.
  public let standard: [Edge]
  /// The edges of the robust networks.
  public let robust: [Edge]

  /// How many edges are kept: all of up to 32 classes, the largest of more.
  public static let mostEdges = 1000

  /// From a true class to another one.
  public struct Edge: Sendable, Equatable, Codable {
    /// The true class.
    public let label: Int
    /// The other class.
    public let other: Int
    /// The share of the true class's samples whose largest logit of all other classes is this one's, in (0, 1].
    public let nearestShare: Double
    /// The share that is predicted to be of this class, in [0, 1].
    public let errorShare: Double

    enum CodingKeys: String, CodingKey {
      case label = "class"
      case other = "other_class"
      case nearestShare = "nearest_share"
      case errorShare = "error_share"
    }

    /// An edge; see the properties.
    public init(label: Int, other: Int, nearestShare: Double, errorShare: Double) {
      (self.label, self.other) = (label, other)
      (self.nearestShare, self.errorShare) = (nearestShare, errorShare)
    }
  }

  /// Counts over all samples; nil without labels.
  init?(standard: [AlignedSamples], robust: [AlignedSamples]) throws {
    guard let labels = standard[0].labels else { return nil }
    let counts = labels.reduce(into: [Int](repeating: 0, count: standard[0].classCount)) { $0[Int($1)] += 1 }
    self.standard = try Self.edges(standard, labels, counts)
    self.robust = try Self.edges(robust, labels, counts)
  }

  private static func edges(
    _ networks: [AlignedSamples], _ labels: [Int32], _ counts: [Int]
  ) throws -> [Edge] {
    let classes = counts.count
    var (nearest, errors) = (
      [Int](repeating: 0, count: classes * classes), [Int](repeating: 0, count: classes * classes)
    )
    for network in networks {
      // The nearest other class of a sample; counted from -1 down for an error.
      let rivals = try network.map(Int32(0)) { z, _, place in
        let rival = Int32(z.largest(otherThan: Int(labels[place])))
        return z.predicted == Int(labels[place]) ? rival : -1 - rival
      }
      for (label, rival) in zip(labels, rivals) {
        let cell = Int(label) * classes + Int(rival < 0 ? -1 - rival : rival)
        nearest[cell] += 1
        if rival < 0 { errors[cell] += 1 }
      }
    }
    let edges = nearest.indices.filter { nearest[$0] > 0 }.map { cell in
      let samples = Double(counts[cell / classes] * networks.count)
      return Edge(
        label: cell / classes, other: cell % classes, nearestShare: Double(nearest[cell]) / samples,
        errorShare: Double(errors[cell]) / samples)
    }
    return Array(
      edges.sorted { a, b in
        a.nearestShare != b.nearestShare
          ? a.nearestShare > b.nearestShare : (a.label, a.other) < (b.label, b.other)
      }.prefix(mostEdges))
  }
}
