import Statistics

/// How far the margins of a network under attack are those of a network that is linear around each image. Written as JSON with
/// snake_case keys.
///
/// Only images that the network classifies correctly count: there the attack, which lowers the true class, works against the
/// logit gap. For a linear network no point of the ball within [0, 1] has a margin below ``Prediction/clipped``'s, and an attack
/// that finds the largest loss finds one within its bounds; with two classes all of these are equalities.
public struct LinearCheck: Sendable, Equatable, Codable {
  /// The network's run.
  public let name: String
  /// The attacked images.
  public let sampleCount: Int
  /// The share of them that are classified correctly before the attack; the figures below are about these.
  public let accuracy: Double
  /// Their mean logit gap, which is their margin, before the attack.
  public let margin: Double
  /// Their mean margin under attack; negative ones are errors.
  public let attackedMargin: Double
  /// Their mean cross-entropy under attack, in nats.
  public let attackedLoss: Double
  /// The share that is misclassified under attack.
  public let flipped: Double
  /// The L1 norm of the gap's gradient before the attack.
  public let gradientNorm: Distribution
  /// The gap over that norm, in pixel units: the radius at which the runner-up wins, to first order.
  public let localRadius: Distribution
  /// What linear networks predict.
  public let predictions: [Prediction: Figures]

  /// Which first-order prediction of the attacked margin.
  public enum Prediction: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// Gap - epsilon ||grad gap||_1: only the second class is looked at, pixels may leave [0, 1].
    case runnerUp = "runner_up"
    /// min_j (m_j - epsilon ||grad m_j||_1) over all classes j.
    case ball
    /// The same where pixels stay in [0, 1], as those of the attack do.
    case clipped
  }

  /// How far one prediction holds.
  public struct Figures: Sendable, Equatable, Codable {
    /// The mean predicted margin under attack.
    public let predictedMargin: Double
    /// What the attack took off the margin over what was predicted: 1 where the prediction is exact, below 1 where the attack
    /// takes less. nil if nothing was predicted to be taken.
    public let dropRatio: Distribution?
    /// The share of images from whose margin the attack took no more than predicted.
    public let held: Double
    /// Spearman's correlation of predicted and attacked margins; nil if one is constant.
    public let rankCorrelation: Double?
    /// Predicted flips (a predicted margin below 0: the local radius is below epsilon) and real ones.
    public let flips: Flips
    /// Bounds of the loss under attack; nil for ``Prediction/runnerUp``, which does not bound it.
    public let loss: LossBounds?

    enum CodingKeys: String, CodingKey {
      case held, flips, loss
      case predictedMargin = "predicted_margin"
      case dropRatio = "drop_ratio"
      case rankCorrelation = "rank_correlation"
    }
  }

  /// Shares of images by whether the prediction was to flip and whether it did; their sum is 1.
  public struct Flips: Sendable, Equatable, Codable {
    /// Predicted and seen, predicted only, seen only, neither.
    public let both, predictedOnly, attackedOnly, neither: Double

    /// The share of images that were to flip.
    public var predicted: Double { both + predictedOnly }
    /// The share of images for which the prediction is right.
    public var agreement: Double { both + neither }

    enum CodingKeys: String, CodingKey {
      case both, neither
      case predictedOnly = "predicted_only"
      case attackedOnly = "attacked_only"
    }
  }

  /// Means of the bounds log(1 + max_j e^-(m_j - r_j)) and log(1 + sum_j e^-(m_j - r_j)) of the loss of a linear network under
  /// the worst attack, r_j what it takes off m_j.
  public struct LossBounds: Sendable, Equatable, Codable {
    /// Means in nats.
    public let lower, upper: Double
    /// Shares of images whose loss under attack is below, within and above their own bounds.
    public let below, within, above: Double
  }

  enum CodingKeys: String, CodingKey {
    case name, accuracy, margin, flipped, predictions
    case sampleCount = "sample_count"
    case attackedMargin = "attacked_margin"
    case attackedLoss = "attacked_loss"
    case gradientNorm = "gap_gradient_norm"
    case localRadius = "local_radius"
  }
}

extension LinearCheck {
  /// Bounds of the largest cross-entropy by the margins m_j of the other classes and what an attack takes off them, (K - 1) each.
  public typealias Bounds = (_ margins: [Double], _ reductions: [Double]) -> ClosedRange<Double>

  /// Compares clean images with the same images under attack.
  /// - Parameters:
  ///   - clean: logits of clean images with labels and the gaps' gradients, which the attacked images are among.
  ///   - attacked: logits of attacked images.
  ///   - reductions: one row per row of `attacked`.
  /// - Returns: nil if no attacked image is classified correctly before the attack.
  public init?(
    name: String, clean: LogitTable, attacked: LogitTable, reductions: LinearReductions, bounds: Bounds
  ) {
    let places = Dictionary(uniqueKeysWithValues: zip(clean.sampleIDs, 0...))
    guard let labels = attacked.labels, let norms = clean.gapGradientNorms,
      reductions.ball.count == attacked.logits.count
    else { preconditionFailure("labels, gradients and a row of reductions per image are needed") }
    let images = attacked.sampleIDs.indices.compactMap { row -> Image? in
      let place = places[attacked.sampleIDs[row]]!
      return clean.withRow(place) { before in
        attacked.withRow(row) { after in
          Image(
            clean: before, attacked: after, label: Int(labels[row]), norm: Double(norms[place]), reductions,
            row)
        }
      }
    }
    guard !images.isEmpty else { return nil }
    self.name = name
    sampleCount = attacked.sampleCount
    accuracy = Double(images.count) / Double(attacked.sampleCount)
    margin = mean(images.map(\.margin))
    attackedMargin = mean(images.map(\.attackedMargin))
    attackedLoss = mean(images.map(\.attackedLoss))
    flipped = share(images.map(\.hasFlipped))
    gradientNorm = Distribution(images.map(\.norm))
    localRadius = Distribution(images.map { $0.margin < $0.norm ? $0.margin / $0.norm : 1 })
    predictions = Prediction.allCases.reduce(into: [:]) { $0[$1] = Figures(images, $1, bounds) }
  }
}

/// One image that is classified correctly before the attack.
private struct Image {
  let margin, attackedMargin, attackedLoss, norm, epsilon: Double
  let hasFlipped: Bool
  /// m_j of the other classes, and what can be taken off them; (K - 1).
  let margins, ball, clipped: [Double]

  init?(
    clean: LogitRow, attacked: LogitRow, label: Int, norm: Double, _ taken: LinearReductions, _ index: Int
  ) {
    guard clean.predicted == label else { return nil }
    let others = clean.values.indices.filter { $0 != label }
    func row(_ values: [Float]) -> [Double] {
      others.map { Double(values[index * taken.classCount + $0]) }
    }
    margin = clean.margin(to: label)
    attackedMargin = attacked.margin(to: label)
    attackedLoss = attacked.softmax.crossEntropy(attacked.values[label])
    (self.norm, epsilon) = (norm, taken.epsilon)
    hasFlipped = attacked.predicted != label
    margins = others.map { Double(clean.values[label]) - Double(clean.values[$0]) }
    ball = row(taken.ball)
    clipped = row(taken.clipped)
  }

  /// What the prediction takes off each class's margin; nil for the runner-up's.
  func reductions(_ prediction: LinearCheck.Prediction) -> [Double]? {
    switch prediction {
    case .runnerUp: nil
    case .ball: ball
    case .clipped: clipped
    }
  }

  func predictedMargin(_ prediction: LinearCheck.Prediction) -> Double {
    reductions(prediction).map { zip(margins, $0).map(-).min()! } ?? margin - epsilon * norm
  }
}

extension LinearCheck.Figures {
  /// Relative rounding of logits and gradients in float32, with room.
  private static let rounding = 1e-4

  fileprivate init(
    _ images: [Image], _ prediction: LinearCheck.Prediction, _ bounds: LinearCheck.Bounds
  ) {
    let predicted = images.map { $0.predictedMargin(prediction) }
    predictedMargin = mean(predicted)
    let drops = zip(images, predicted).map { image, predicted in
      (predicted: image.margin - predicted, attacked: image.margin - image.attackedMargin)
    }
    let ratios = drops.filter { $0.predicted > 0 }.map { $0.attacked / $0.predicted }
    dropRatio = ratios.isEmpty ? nil : Distribution(ratios)
    held = share(drops.map { $0.attacked <= $0.predicted * (1 + Self.rounding) })
    rankCorrelation = spearman(predicted, images.map(\.attackedMargin))?.statistic
    func flips(_ isPredicted: Bool, _ hasFlipped: Bool) -> Double {
      share(zip(images, predicted).map { ($1 < 0) == isPredicted && $0.hasFlipped == hasFlipped })
    }
    self.flips = LinearCheck.Flips(
      both: flips(true, true), predictedOnly: flips(true, false), attackedOnly: flips(false, true),
      neither: flips(false, false))
    let ranges = images.compactMap { image in
      image.reductions(prediction).map { (loss: image.attackedLoss, bounds: bounds(image.margins, $0)) }
    }
    loss = ranges.isEmpty ? nil : LinearCheck.LossBounds(ranges, rounding: Self.rounding)
  }
}

extension LinearCheck.LossBounds {
  fileprivate init(_ ranges: [(loss: Double, bounds: ClosedRange<Double>)], rounding: Double) {
    lower = mean(ranges.map(\.bounds.lowerBound))
    upper = mean(ranges.map(\.bounds.upperBound))
    let room = 1 + rounding
    below = share(ranges.map { $0.loss * room < $0.bounds.lowerBound })
    above = share(ranges.map { $0.loss > $0.bounds.upperBound * room })
    within = share(
      ranges.map { $0.loss * room >= $0.bounds.lowerBound && $0.loss <= $0.bounds.upperBound * room })
  }
}
