import Foundation
import Randomness
import Testing
import Theory

@Suite struct LinearModelTests {
  private static let featureCount = 8

  /// A model, a sample, its label and a radius, all random.
  private struct Problem {
    let model: LinearModel
    let features: [Double]
    let label: Int
    let epsilon: Double

    init(_ index: Int, classCount: Int) {
      var random = RandomStream(seed: 17, purpose: .test, sample: UInt32(index))
      func normals(_ count: Int) -> [Double] { (0..<count).map { _ in random.nextNormal() } }
      model = LinearModel(weights: normals(classCount * featureCount), classCount: classCount)
      features = normals(featureCount)
      label = random.nextInteger(below: classCount)
      epsilon = 0.3 * Double(random.nextUniform())
    }

    var bounds: ClosedRange<Double> {
      model.worstCrossEntropyBounds(features: features, label: label, epsilon: epsilon)
    }
    var worst: Double { model.worstCrossEntropy(features: features, label: label, epsilon: epsilon) }
  }

  @Test func boundsHoldForFiveClassesAndAreNotTight() {
    let problems = (0..<200).map { Problem($0, classCount: 5) }
    let slacks = problems.map { problem in
      let (bounds, worst) = (problem.bounds, problem.worst)
      return (below: worst - bounds.lowerBound, above: bounds.upperBound - worst)
    }
    #expect(slacks.allSatisfy { $0.below > -1e-12 && $0.above > -1e-12 })
    let below = slacks.reduce(0) { $0 + $1.below } / 200
    let above = slacks.reduce(0) { $0 + $1.above } / 200
    // An independent computation on other problems found 0.159 and 0.067.
    #expect(below > 0.1 && below < 0.25, "\(below)")
    #expect(above > 0.04 && above < 0.1, "\(above)")
  }

  @Test func boundsAreExactForTwoClasses() {
    for index in 0..<200 {
      let problem = Problem(index, classCount: 2)
      #expect(abs(problem.bounds.lowerBound - problem.worst) < 1e-12)
      #expect(abs(problem.bounds.upperBound - problem.worst) < 1e-12)
    }
  }

  @Test func noPointOfTheBallIsWorseThanTheWorstCorner() {
    var random = RandomStream(seed: 5, purpose: .test)
    for index in 0..<50 {
      let problem = Problem(index, classCount: 5)
      let worst = problem.worst
      for _ in 0..<50 {
        let moved = problem.features.map { $0 + problem.epsilon * (2 * Double(random.nextUniform()) - 1) }
        #expect(
          problem.model.worstCrossEntropy(features: moved, label: problem.label, epsilon: 0) <= worst + 1e-12)
      }
    }
  }

  @Test func boundsAreThoseOfALoop() {
    let problem = Problem(3, classCount: 5)
    let (weights, d) = (problem.model.weights, Self.featureCount)
    let losses = (0..<5).filter { $0 != problem.label }.map { other in
      (0..<d).reduce(0.0) {
        let difference = weights[problem.label * d + $1] - weights[other * d + $1]
        return $0 - difference * problem.features[$1] + problem.epsilon * abs(difference)
      }
    }
    #expect(abs(problem.bounds.lowerBound - log(1 + exp(losses.max()!))) < 1e-12)
    #expect(abs(problem.bounds.upperBound - log(1 + losses.reduce(0) { $0 + exp($1) })) < 1e-12)
  }
}
