import Reports
import TestSupport
import Testing

@Suite struct ClassGraphTests {
  /// The lines of edges, without their heads, as drawn one over the other.
  private func edges(_ graph: ClassGraph) throws -> [(width: Double, opacity: Double)] {
    let elements = try Outline(graph.svg(prefix: "g")).elements
    var result: [(Double, Double)] = []
    for (place, element) in elements.enumerated() where element.name == "g" {
      guard let opacity = element.attributes["opacity"].flatMap(Double.init) else { continue }
      let line = elements[place...].first { $0.name == "path" }
      result.append((try #require(line?.attributes["stroke-width"].flatMap(Double.init)), opacity))
    }
    return result
  }

  @Test func widthAndOpacityGrowWithTheShareAndTheThickestIsLast() throws {
    let edges = try edges(sampleGraphs[0])
    let shares = [0.1, 0.41, 0.52, 0.55, 0.62, 0.7, 0.8, 0.9, 1]
    #expect(edges.count == shares.count, "0.0999 is below the threshold")
    for (edge, share) in zip(edges, shares) {
      #expect(abs(edge.width - (0.8 + 9 * share)) < 0.006)
      #expect(abs(edge.opacity - (0.3 + 0.7 * share.squareRoot())) < 0.006)
    }
  }

  @Test func everyClassIsNamedAndTheMainEdgesAreTold() throws {
    let outline = try Outline(sampleGraphs[0].svg(prefix: "g"))
    #expect(outline.count("circle") == 10)
    let root = try #require(outline.elements.first)
    #expect(root.name == "svg" && root.attributes["role"] == "img")
    #expect(
      root.attributes["aria-labelledby"] == "g-title g-desc" && outline.values("id") == ["g-title", "g-desc"])
    let told = try #require(outline.text("desc").first)
    #expect(
      told.hasPrefix("Trouser to Dress 100.0 %, Ankle boot to Sneaker 90.0 %, Sandal to Sneaker 80.0 %"))
    #expect(told.contains("and 4 more."))
    #expect(outline.text("title").contains("Bag to Pullover: 10.0 %"))
    for name in classNames { #expect(outline.text("text").contains { $0.hasSuffix(name) }, "\(name)") }
  }

  /// An edge leads from its class to the other: its line begins near the one circle, its head ends near the other.
  @Test func edgesLeadFromOneClassToTheOther() throws {
    let graph = ClassGraph(
      "Four", names: ["a", "b", "c", "d"], edges: [.init(from: 1, to: 2, share: 0.5)])
    let elements = try Outline(graph.svg(prefix: "g")).elements
    let circles = elements.filter { $0.name == "circle" }.map { circle in
      ["cx", "cy"].map { Double(circle.attributes[$0]!)! }
    }
    func start(_ path: Int) -> [Double] {
      let commands = elements.filter { $0.name == "path" }[path].attributes["d"]!
      return commands.dropFirst().split(separator: " ").prefix(2).map { Double($0)! }
    }
    func distance(_ a: [Double], _ b: [Double]) -> Double {
      ((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])).squareRoot()
    }
    #expect(circles.count == 4)
    #expect(abs(distance(start(0), circles[1]) - 11) < 0.2, "the line begins at b")
    #expect(abs(distance(start(1), circles[2]) - 11) < 0.2, "the head's tip is at c")
  }

  @Test func namesAreEscapedAndShortened() throws {
    let svg = sampleGraphs[1].svg(prefix: "g")
    let shown = hostile.replacing("\u{1}", with: "\u{FFFD}")
    let outline = try Outline(svg)
    #expect(outline.text("title").contains(shown) && !svg.contains("<&"))
    #expect(outline.text("desc").first?.contains("a to \(shown) 30.0 %") == true)
    // Fourteen letters at most, the whole name as a tooltip.
    #expect(outline.text("text").contains { $0.hasSuffix(shown.prefix(13) + "…") })
    #expect(outline.elements.contains { $0.attributes["stroke"] == "var(--series-2)" })
  }

  @Test func ofManyClassesTheLargestEdgesAreDrawn() throws {
    let outline = try Outline(sampleGraphs[2].svg(prefix: "g"))
    #expect(outline.count("circle") == 30)
    #expect(try edges(sampleGraphs[2]).count == 29)
    #expect(outline.text("desc").first?.contains("of 1000 classes") == true)
    let none = ClassGraph("None", names: ["a", "b"], edges: [.init(from: 0, to: 1, share: 0.05)])
    #expect(try edges(none).isEmpty)
    #expect(try Outline(none.svg(prefix: "g")).text("desc").first?.hasPrefix("No class") == true)
  }
}
