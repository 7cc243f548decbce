import Foundation
import Reports
import TestSupport

/// Text that breaks pages and scripts which do not escape it.
let hostile = "<&\">' `touch x` \\ {a}_b @c\u{1}"

/// Sums of uniform values, nearly normal.
func bellShaped(_ count: Int, mean: Double, deviation: Double, seed: UInt64) -> [Double] {
  var random = Seeded(seed)
  return (0..<count).map { _ in
    let sum = (0..<12).reduce(0.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
    return mean + (sum - 6) * deviation
  }
}

/// Plots of every kind, with up to six series.
let samplePlots: [Plot] = {
  let standard = bellShaped(10_000, mean: 9, deviation: 3, seed: 1)
  let robust = bellShaped(10_000, mean: 6, deviation: 1.5, seed: 2)
  let two = [Plot.Samples("standard", standard), Plot.Samples("adversarially trained", robust)]
  let six = (1...6).map {
    Plot.Samples(
      "student \($0) of the adversarially trained teacher",
      bellShaped(500, mean: Double($0), deviation: 1, seed: 3))
  }
  let logit = Plot.Axis("max logit"), nats = Plot.Axis("entropy", unit: "nats")
  return [
    .histogram("Largest logits", message: "Robust logits are smaller.", x: logit, series: two),
    .histogram(
      "Six students", message: "They differ in their means.", x: nats,
      series: six.dropLast() + [Plot.Samples("nobody \(hostile)", [])]),
    .ecdf("Largest logits", message: "Robust logits are smaller at every share.", x: logit, series: two),
    .ecdf("Six students", message: "They differ in their means.", x: nats, series: six),
    .pairs(
      "Largest logits of the same samples", message: "Most samples lie below the diagonal.",
      x: Plot.Axis("max logit, standard"), y: Plot.Axis("max logit, robust"), xs: standard,
      ys: zip(standard, robust).map { $0 * 0.4 + $1 * 0.5 }),
    reliability, doseResponse, scales,
    matrix(10), matrix(30), matrix(100),
    .estimates(
      "Differences of means", message: "All but one interval exclude zero.", x: Plot.Axis("Cohen's d"),
      series: [estimates("all samples", 0), estimates("jointly correct", 0.2)]),
    .estimates(
      "Robust accuracy", message: "The intact teacher is best.", x: Plot.Axis("robust accuracy", unit: "%"),
      style: .bars,
      series: [
        Plot.Estimates(
          "PGD-20",
          [
            .init("student, intact logits", 35.2, interval: 31...39.5),
            .init("student, permuted non-max logits", 38.8, interval: 34...44),
            .init("standard", 0.8, interval: 0...2),
          ])
      ]),
    .histogram("Nothing", message: "There is no value.", x: logit, series: [Plot.Samples("empty", [])]),
  ]
}()

private let reliability = Plot.reliability(
  "Reliability", message: "The standard network is overconfident.",
  series: [("standard", 0.8), ("adversarially trained", 1.05)].map { name, factor in
    Plot.Reliability(
      name,
      (1...10).map { bin in
        let confidence = Double(bin) / 10 - 0.05
        return .init(confidence: confidence, accuracy: min(1, confidence * factor), count: bin * bin * 20)
      })
  })

private let doseResponse = Plot.lines(
  "Accuracy under attack", message: "Only the robust network resists.",
  x: Plot.Axis("epsilon", unit: "pixel value in [0, 1]"),
  y: Plot.Axis("accuracy", unit: "%"),
  series: [("standard", 40.0), ("adversarially trained", 6.0), ("student", 15.0)].map { name, slope in
    Plot.Line(
      name,
      (0...8).map { step in
        let x = Double(step) * 0.0125
        let y = 88 * exp(-slope * x)
        return .init(x, y, interval: max(0, y - 4)...y + 4)
      })
  })

private let scales = Plot.lines(
  "Loss over the scale of the logits", message: "Each network has its best scale.",
  x: Plot.Axis("scale s", isLogarithmic: true), y: Plot.Axis("cross-entropy", unit: "nats"),
  series: (1...6).map { curve in
    Plot.Line(
      "network \(curve)",
      (0..<1_000).map { step in
        let s = pow(10, Double(step) / 500 - 1)
        return .init(s, pow(log(s) - Double(curve) / 4, 2) + Double(curve))
      })
  })

let classNames = [
  "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]

func matrix(_ side: Int) -> Plot {
  let labels = side == 10 ? classNames : (0..<side).map { "class \($0)" }
  return .matrix(
    "Order of \(side) classes", message: "Neighbouring classes get similar logits.", x: Plot.Axis("class"),
    y: Plot.Axis("true class"), value: Plot.Axis("mean logit"), labels: labels,
    values: (0..<side * side).map { cos(Double($0 / side - $0 % side) * 6 / Double(side)) - 0.2 },
    isDiverging: side != 30)
}

private func estimates(_ name: String, _ shift: Double) -> Plot.Estimates {
  let labels = ["max logit", "logit gap", "entropy", "margin to the true class of the sample"]
  return Plot.Estimates(
    name,
    labels.enumerated().map { index, label in
      let value = Double(index) * 0.6 - 1.2 + shift
      return .init(label, value, interval: value - 0.2...value + 0.25)
    })
}

private func card(_ number: Int) -> Gallery.Card {
  let pixels = (0..<28 * 28).map { UInt8(($0 / 28 * 9 * number + $0 % 28 * 7) % 256) }
  func top(_ first: Double) -> [(name: String, probability: Double)] {
    [("Sneaker", first), ("Ankle boot", (1 - first) * 0.7), ("Sandal \(hostile)", (1 - first) * 0.2)]
  }
  return Gallery.Card(
    image: PNG(width: 28, height: 28, grey: pixels), title: "sample \(number)",
    label: number % 2 == 0 ? "Sneaker" : "Ankle boot",
    predictions: [.init("standard", top(0.971)), .init("adversarially trained", top(0.52))])
}

/// A page with every block.
let samplePage = Page(
  "Sample \(hostile)",
  summary: ["A page with every block. \(hostile)", String(repeating: "A long line. ", count: 30)],
  sections: [
    Page.Section(
      "Text \(hostile)",
      [
        .paragraph("Paragraph \(hostile)"), .list(["one", hostile]),
        .code(
          "temper analyze --standard runs/standard --robust runs/at --out runs/comparison # \(hostile) and a long rest of the line"
        ),
        .links([.init("Okabe and Ito \(hostile)", address: "https://jfly.uni-koeln.de/color/?a=1&b=\"2\"")]),
        .downloads([Download("values \(hostile).csv", type: "text/csv", bytes: Array("a,b\n1,2\n".utf8))]),
      ],
      sections: [
        Page.Section(
          "Tables", [.table(sampleTable)], sections: [Page.Section("Deeper", [.paragraph("Text.")])])
      ]),
    Page.Section("Plots", samplePlots.map { .plot($0) }),
    Page.Section("Graphs", [.graphs(sampleGraphs)]),
    Page.Section("Images", [.gallery(Gallery("Samples \(hostile)", cards: (1...5).map(card)))]),
  ])

/// Graphs of ten, of hostile and of a thousand classes.
let sampleGraphs = [
  ClassGraph(
    "Ten classes", names: classNames,
    edges: [
      .init(from: 6, to: 0, share: 0.52), .init(from: 0, to: 6, share: 0.7),
      .init(from: 4, to: 2, share: 0.41),
      .init(from: 2, to: 4, share: 0.55), .init(from: 5, to: 7, share: 0.8),
      .init(from: 7, to: 9, share: 0.62),
      .init(from: 9, to: 7, share: 0.9), .init(from: 1, to: 3, share: 1), .init(from: 8, to: 2, share: 0.1),
      .init(from: 8, to: 5, share: 0.0999),
    ]),
  ClassGraph(
    "Classes \(hostile)", names: ["a", hostile],
    edges: [.init(from: 0, to: 1, share: 0.3)], series: 1),
  ClassGraph(
    "A thousand classes", names: (0..<1000).map { "class \($0)" },
    edges: (0..<999).map { .init(from: $0, to: $0 + 1, share: 1 - Double($0) / 1000) }),
]

private let sampleTable = Table(
  "Networks \(hostile)",
  columns: [.text("Network \(hostile)")] + (1...8).map { .number("Measure number \($0)") },
  rows: (1...4).map { row in ["network \(row) \(hostile)"] + (1...8).map { "\(row * $0).5 %" } })
