import Foundation
import TestSupport
import Theory
import Testing

@Suite struct EntropyCapTests {
  @Test func capsForTenClassesAreTheDerivedOnes() {
    let caps = [0.02, 0.05, 0.2, 0.5, 1, 1.1, 1.5, 2].map { gapCap(entropy: $0, classCount: 10) }
    for (cap, expected) in zip(caps, [8.3, 7.3, 5.7, 4.5, 3.5, 3.3, 2.7, 1.8]) {
      #expect(abs(cap - expected) <= 0.05, "\(cap)")
    }
  }

  @Test(arguments: [2, 3, 10, 1000]) func confidenceCapInvertsEntropyCap(classCount: Int) {
    let uniform = 1 / Double(classCount)
    for step in 1..<50 {
      let confidence = uniform + (1 - uniform) * Double(step) / 50
      let entropy = entropyCap(confidence: confidence, classCount: classCount)
      let inverse = confidenceCap(entropy: entropy, classCount: classCount)
      #expect(abs(inverse - confidence) < 1e-12)
      let gap = log(Double(classCount - 1) * confidence / (1 - confidence))
      #expect(abs(gapCap(entropy: entropy, classCount: classCount) - gap) < 1e-10)
    }
  }

  @Test func extremesAreReached() {
    #expect(gapCap(entropy: 0, classCount: 10) == .infinity)
    #expect(gapCap(entropy: log(10), classCount: 10) == 0)
    #expect(gapCap(entropy: 5, classCount: 10) == 0)
    #expect(confidenceCap(entropy: 0, classCount: 10) == 1)
    #expect(abs(confidenceCap(entropy: 3, classCount: 10) - 0.1) < 1e-15)
    #expect(entropyCap(confidence: 1, classCount: 10) == 0)
    let gap = gapCap(entropy: 1e-200, classCount: 10)
    #expect(abs(log(9 * (1 + gap)) - gap + 200 * log(10)) < 1e-9, "tiny entropies do not underflow")
  }

  @Test func noGapExceedsItsCap() {
    var random = Seeded(3)
    for scale in [0.01, 0.3, 1, 5, 20] {
      for _ in 0..<2000 {
        let classCount = Int.random(in: 2...12, using: &random)
        let logits = (0..<classCount).map { _ in scale * Double.random(in: -1...1, using: &random) }.sorted()
        // Differences to the largest logit: its own log-probability is then exact however small.
        let others = logits.dropLast().map { $0 - logits[classCount - 1] }
        let total = log1p(others.reduce(0) { $0 + exp($1) })
        let entropy = total - others.reduce(0) { $0 + exp($1 - total) * $1 }
        let gap = -others.last!
        #expect(gap <= gapCap(entropy: entropy, classCount: classCount) + 1e-9)
      }
    }
  }

  @Test func capsAreReachedWhenTheOtherLogitsAreEqual() {
    for gap in [0.5, 3, 12, 40] {
      let others = 9 * exp(-gap)
      let entropy = log1p(others) + gap * others / (1 + others)
      #expect(abs(gapCap(entropy: entropy, classCount: 10) - gap) < 1e-12 * max(1, gap))
    }
  }
}
