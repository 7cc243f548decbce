import Foundation
import Logits
import Testing

@Suite struct TheoryCheckTests {
  private func curve(_ losses: [(Double, Double)], atOne: Double) -> ScaleCurve {
    ScaleCurve(
      points: losses.map { ScaleCurve.Point(scale: $0.0, loss: $0.1) }, lossAtOne: atOne, lossAtZero: log(10))
  }

  @Test func bestScaleIsZeroWhereChanceIsBetter() {
    #expect(curve([(0.1, 2.4), (1, 9)], atOne: 9).best == 0)
    #expect(curve([(0.1, 2.4), (1, 9)], atOne: 9).lowestLoss == log(10))
    #expect(curve([(0.1, 2.2), (1, 0.6), (2, 0.9)], atOne: 0.6).best == 1)
  }

  private func check(_ name: String, excess: Float, decay: Double?, _ scale: ScaleCurve) throws -> TheoryCheck
  {
    // One sample is right by `excess`, one is wrong by as much.
    let table = try LogitTable(logits: [excess, 0, 0, excess], classCount: 2, labels: [0, 0])
    return TheoryCheck(
      name: name, attacked: table, clean: table, decayTerm: decay, scale: scale, gapCap: { _ in 4 })
  }

  @Test func excessIsLossMinusEntropy() throws {
    let check = try check("a", excess: 2, decay: nil, curve([(1, 0.5)], atOne: 0.5))
    let p = 1 / (1 + exp(-2.0))
    let loss = (-log(p) - log(1 - p)) / 2
    let entropy = -p * log(p) - (1 - p) * log(1 - p)
    #expect(abs(check.adversarialLoss - loss) < 1e-12 && abs(check.adversarialEntropy - entropy) < 1e-12)
    #expect(check.gapOverCap == 0.5)
    #expect(abs(check.excess - (loss - entropy)) < 1e-12 && abs(check.cleanExcess - check.excess) < 1e-12)
  }

  @Test func claimsFollowTheirRules() throws {
    let low = curve([(0.1, 2.2), (1, 9)], atOne: 9)
    let near = curve([(1, 0.6)], atOne: 0.6)
    let study = LogitStudyTests.study
    func verdicts(_ standard: ScaleCurve, _ decays: [Double?]) throws -> [String: Claim.Verdict] {
      let robust = try decays.map { try check("r", excess: 1, decay: $0, near) }
      let claims = Claim.theory(
        standard: try (0..<3).map { _ in try check("s", excess: 1, decay: nil, standard) }, robust: robust,
        study: study)
      return Dictionary(uniqueKeysWithValues: claims.map { ($0.id, $0.verdict) })
    }
    let excess = try check("r", excess: 1, decay: nil, near).excess
    let around = [excess - 0.01, excess + 0.01, excess]
    #expect(try verdicts(low, around)["C1e"] == .descriptive)
    #expect(try verdicts(low, around)["C1d"] == .consistent)
    #expect(try verdicts(low, around.map { $0 + 1 })["C1d"] == .inconsistent)
    #expect(try verdicts(low, [excess - 0.2, excess, excess + 0.2])["C1d"] == .undecided)
    #expect(try verdicts(low, [nil, nil, nil])["C1d"] == nil)
    // No gradients were measured in this study.
    #expect(try verdicts(low, around)["C1g"] == nil)
  }

  @Test func gapsFallOverTheRadius() throws {
    func dose(_ epsilon: Double, _ gap: Float) throws -> DoseResponse.Dose {
      let table = try LogitTable(logits: [gap, 0], classCount: 2)
      return DoseResponse.Dose(name: "n", epsilon: epsilon, table: table)
    }
    let falling = try DoseResponse([
      dose(0.2, 1), dose(0, 5), dose(0.1, 3), dose(0.3, 0.5), dose(0, 4.5), dose(0.4, 0.1), dose(0.5, 0.09),
      dose(0.6, 0.08), dose(0.7, 0.07), dose(0.8, 0.06),
    ])
    #expect(falling.doses.map(\.epsilon) == [0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    let claim = try #require(falling.claim)
    #expect(claim.verdict == .consistent && claim.value! < -0.9)
    let rising = try DoseResponse((1..<10).map { try dose(Double($0), Float($0)) })
    #expect(rising.claim?.verdict == .inconsistent)
    let few = try DoseResponse((0..<6).map { try dose(Double($0), Float($0)) })
    #expect(few.claim?.verdict == .undecided)
    #expect(try DoseResponse([dose(0, 1), dose(0.1, 2)]).claim == nil)
  }
}
