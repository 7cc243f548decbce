import Statistics

/// How far networks under attack are locally linear, standard ones and adversarially trained ("robust") ones. Written as JSON
/// with snake_case keys.
public struct LinearStudy: Sendable, Equatable, Codable {
  /// The radius of the Linf attack in pixel units.
  public let epsilon: Double
  /// The standard networks.
  public let standard: Kind
  /// The robust networks.
  public let robust: Kind

  /// Networks of one kind.
  public struct Kind: Sendable, Equatable, Codable {
    /// One check per network.
    public let networks: [LinearCheck]
    /// The figures in means over the networks.
    public let estimates: [LinearCheck.Prediction: [Figure: Estimate]]
  }

  /// A figure of one network and prediction.
  public enum Figure: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// The mean predicted margin under attack.
    case predictedMargin = "predicted_margin"
    /// The mean margin under attack.
    case attackedMargin = "attacked_margin"
    /// The median over images of what the attack took off the margin over what was predicted.
    case medianDropRatio = "median_drop_ratio"
    /// The 10 % quantile of it.
    case lowDropRatio = "drop_ratio_p10"
    /// The 90 % quantile of it.
    case highDropRatio = "drop_ratio_p90"
    /// The share of images from whose margin the attack took no more than predicted.
    case held
    /// Spearman's correlation of predicted and attacked margins.
    case rankCorrelation = "rank_correlation"
    /// The share of images that were to flip.
    case predictedFlips = "predicted_flips"
    /// The share of images that did flip.
    case attackedFlips = "attacked_flips"
    /// The share of images for which the prediction whether they flip is right.
    case flipAgreement = "flip_agreement"
    /// Mean lower bound of the loss under attack, in nats.
    case lossLower = "loss_lower"
    /// Mean loss under attack, in nats.
    case attackedLoss = "attacked_loss"
    /// Mean upper bound of it.
    case lossUpper = "loss_upper"
    /// The share of images whose loss lies within its bounds.
    case lossWithin = "loss_within"

    /// Whether it lies in [0, 1].
    var isShare: Bool {
      [.held, .predictedFlips, .attackedFlips, .flipAgreement, .lossWithin].contains(self)
    }
  }

  /// A figure over networks of several seeds.
  public struct Estimate: Sendable, Equatable, Codable {
    /// The mean over networks.
    public let mean: Double
    /// Its 95 % t interval over networks, that of a share within [0, 1]; nil with one, or equal figures.
    public let interval: Interval?
  }

  /// Joins the networks' checks; nil unless there is one of each kind.
  public init?(epsilon: Double, standard: [LinearCheck], robust: [LinearCheck]) {
    guard !standard.isEmpty, !robust.isEmpty else { return nil }
    self.epsilon = epsilon
    self.standard = Kind(standard)
    self.robust = Kind(robust)
  }
}

extension LinearStudy.Kind {
  init(_ networks: [LinearCheck]) {
    self.networks = networks
    estimates = LinearCheck.Prediction.allCases.reduce(into: [:]) { result, prediction in
      result[prediction] = LinearStudy.Figure.allCases.reduce(into: [:]) { estimates, figure in
        let values = networks.compactMap { $0.value(figure, prediction) }
        guard values.count == networks.count else { return }
        estimates[figure] = LinearStudy.Estimate(
          mean: mean(values),
          interval: tInterval(values).map {
            figure.isShare ? Interval(lower: max(0, $0.lower), upper: min(1, $0.upper)) : $0
          })
      }
    }
  }
}

extension LinearCheck {
  fileprivate func value(_ figure: LinearStudy.Figure, _ prediction: Prediction) -> Double? {
    let figures = predictions[prediction]!
    return switch figure {
    case .predictedMargin: figures.predictedMargin
    case .attackedMargin: attackedMargin
    case .medianDropRatio: figures.dropRatio?.quantiles.p50
    case .lowDropRatio: figures.dropRatio?.quantiles.p10
    case .highDropRatio: figures.dropRatio?.quantiles.p90
    case .held: figures.held
    case .rankCorrelation: figures.rankCorrelation
    case .predictedFlips: figures.flips.predicted
    case .attackedFlips: flipped
    case .flipAgreement: figures.flips.agreement
    case .lossLower: figures.loss?.lower
    case .attackedLoss: attackedLoss
    case .lossUpper: figures.loss?.upper
    case .lossWithin: figures.loss?.within
    }
  }
}
