import Attacks
import Datasets
import Distillation
import Foundation
import Logits
import Networks

extension ScaleCurve {
  /// Measures the curve at factors from 1/64 to 4, a factor of 2 apart, and halves the intervals around the smallest loss
  /// until s* is known within a fifth.
  /// - Parameters:
  ///   - attack: what the loss is maximised with.
  ///   - limit: images used, from the first on.
  ///   - progress: called before each evaluation with its number, from 1, and their count.
  public init(
    of network: any Network, over images: some BatchSource, attack: PGD, limit: Int,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let powers = Array(-6...2)
    let refinements = 6
    var done = 0
    func point(_ scale: Double) throws -> Point {
      done += 1
      try progress(done, powers.count + refinements)
      let table = try LogitTable(
        of: ScaledNetwork(network, by: Float(scale)), over: images, attack: attack, limit: limit)
      let losses = table.measures().values(.crossEntropy)!
      return Point(scale: scale, loss: losses.reduce(0, +) / Double(losses.count))
    }
    var points = try powers.map { try point(exp2(Double($0))) }
    let lossAtOne = points[powers.firstIndex(of: 0)!].loss
    for _ in 0..<refinements {
      let place = points.indices.min { points[$0].loss < points[$1].loss }!
      // The wider neighbouring interval, in log s.
      let below = place > 0 ? log(points[place].scale / points[place - 1].scale) : 0
      let above = place + 1 < points.count ? log(points[place + 1].scale / points[place].scale) : 0
      let other = below >= above ? place - 1 : place + 1
      let scale = (points[place].scale * points[other].scale).squareRoot()
      points.insert(try point(scale), at: max(place, other))
    }
    self.init(
      points: points, lossAtOne: lossAtOne, lossAtZero: log(Double(network.description.classes)))
  }
}
