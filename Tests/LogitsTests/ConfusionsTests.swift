import Foundation
import Logits
import Testing

@Suite struct ConfusionsTests {
  @Test func sharesAreThoseOfTheirDefinition() throws {
    let tables = try (0..<4).map { try randomTable(samples: 300, classes: 5, seed: UInt64($0)) }
    let labels = tables[0].labels!
    let networks = try tables.map { try LogitTable(logits: $0.logits, classCount: 5, labels: labels) }
    let study = try LogitStudy(standard: Array(networks[..<2]), robust: Array(networks[2...]))
    let confusions = try #require(study.confusions)
    for (edges, pair) in [(confusions.standard, networks[..<2]), (confusions.robust, networks[2...])] {
      #expect(edges.count == 20 && Set(edges.map { [$0.label, $0.other] }).count == 20)
      #expect(zip(edges, edges.dropFirst()).allSatisfy { $0.nearestShare >= $1.nearestShare })
      for edge in edges {
        let rows = labels.indices.filter { labels[$0] == Int32(edge.label) }
        func share(_ holds: (LogitTable, Int) -> Bool) -> Double {
          let count = pair.reduce(0) { sum, table in sum + rows.count { holds(table, $0) } }
          return Double(count) / Double(2 * rows.count)
        }
        let nearest = share { table, row in
          let others = Array(table.row(row)).enumerated().filter { $0.offset != edge.label }
          return others.max { $0.element < $1.element }!.offset == edge.other
        }
        let errors = share { table, row in
          let z = Array(table.row(row))
          return z.firstIndex(of: z.max()!) == edge.other
        }
        #expect(abs(edge.nearestShare - nearest) < 1e-12 && abs(edge.errorShare - errors) < 1e-12)
      }
    }
  }

  @Test func ofEqualLogitsTheLowestClassIsNearest() throws {
    let a = try LogitTable(logits: [2, 2, 2, 1, 3, 3, 1, 2, 2], classCount: 3, labels: [0, 2, 0])
    let b = try LogitTable(logits: [2, 2, 2, 1, 3, 3, 1, 2, 1], classCount: 3, labels: [0, 2, 0])
    let confusions = try #require(try LogitStudy(standard: [a], robust: [b]).confusions)
    let edges = [
      Confusions.Edge(label: 0, other: 1, nearestShare: 1, errorShare: 0.5),
      Confusions.Edge(label: 2, other: 1, nearestShare: 1, errorShare: 1),
    ]
    #expect(confusions.standard == edges && confusions.robust == edges)
    let bare = try LogitTable(logits: a.logits, classCount: 3)
    let other = try LogitTable(logits: b.logits, classCount: 3)
    #expect(try LogitStudy(standard: [bare], robust: [other]).confusions == nil)
  }

  @Test func ofManyClassesTheLargestSharesAreKept() throws {
    let tables = try (0..<2).map { try randomTable(samples: 3000, classes: 200, seed: UInt64($0)) }
    let same = try LogitTable(logits: tables[1].logits, classCount: 200, labels: tables[0].labels)
    let confusions = try #require(try LogitStudy(standard: [tables[0]], robust: [same]).confusions)
    #expect(confusions.standard.count == Confusions.mostEdges)
    #expect(confusions.standard[0].nearestShare >= confusions.standard[999].nearestShare)
  }
}
