import Datasets
import Logits
import Theory

extension StudyResults {
  /// Compares measured runs.
  /// - Parameters:
  ///   - standard: one run per seed.
  ///   - robust: one run per seed, in the same order.
  ///   - matched: clean images' logits of standard networks of the robust ones' accuracy, with their names, or none.
  ///   - doses: networks of other radii, or none.
  ///   - images: the test images that were measured.
  ///   - robustEpsilon: the radius that each robust run was trained at.
  ///   - attackEpsilon: the radius of the attack; where it differs, theory predicts nothing about the loss.
  public init(
    measurements standard: [RunMeasurement], _ robust: [RunMeasurement],
    matched: [(name: String, table: LogitTable)] = [],
    doses: [DoseResponse.Dose] = [], images: ImageDataset, robustEpsilon: [Double], attackEpsilon: Double,
    settings: [String: String]
  ) throws {
    let heldOut = (standard + robust).map(\.heldOut)
    let names = (standard + robust).map(\.path) + matched.map(\.name)
    let clean = try LogitStudy(
      standard: standard.map(\.clean), robust: robust.map(\.clean), matched: matched.map(\.table),
      heldOut: heldOut, features: ["brightness": images.brightness, "edge energy": images.edgeEnergy],
      names: names)
    let attacked = try LogitStudy(
      standard: standard.map(\.attacked), robust: robust.map(\.attacked), heldOut: heldOut, names: names)
    func check(_ run: RunMeasurement, _ epsilon: Double?) -> TheoryCheck {
      TheoryCheck(
        name: run.path, attacked: run.attackedTraining, clean: run.clean,
        decayTerm: epsilon == attackEpsilon ? run.decayTerm : nil,
        scale: run.scale, gapCap: { gapCap(entropy: $0, classCount: images.classes) })
    }
    func linear(_ runs: [RunMeasurement]) -> [LinearCheck] {
      runs.compactMap { run in
        run.linear.flatMap { reductions in
          LinearCheck(
            name: run.path, clean: run.clean, attacked: run.attacked, reductions: reductions,
            bounds: worstCrossEntropyBounds)
        }
      }
    }
    let own =
      standard.map { DoseResponse.Dose(name: $0.path, epsilon: 0, table: $0.clean) }
      + zip(robust, robustEpsilon).map { DoseResponse.Dose(name: $0.path, epsilon: $1, table: $0.clean) }
    self.init(
      standardNames: standard.map(\.path), robustNames: robust.map(\.path), clean: clean, attacked: attacked,
      standardTheory: standard.map { check($0, nil) }, robustTheory: zip(robust, robustEpsilon).map(check),
      linear: LinearStudy(epsilon: attackEpsilon, standard: linear(standard), robust: linear(robust)),
      dose: doses.isEmpty ? nil : DoseResponse(own + doses), settings: settings)
  }
}
