import Statistics
import Testing

@Suite struct CountsAndTrendsTests {
  @Test func contingencyTablesAgreeWithSciPy() {
    for row in Reference.shared.counts.contingency {
      let test = chiSquaredTest(row.table)
      expectTest(test?.result, row.test)
      #expect(test?.degrees == row.degrees)
    }
  }

  @Test func expectedCountsAgreeWithSciPy() {
    for row in Reference.shared.counts.goodness {
      expectTest(chiSquaredTest(observed: row.observed, expected: row.expected), row.test)
    }
  }

  @Test func rowsAndColumnsCanBeSwapped() throws {
    let table: [[Double]] = [[3, 9, 4], [8, 1, 5]]
    let swapped = table[0].indices.map { column in table.map { $0[column] } }
    let (a, b) = (try #require(chiSquaredTest(table)), try #require(chiSquaredTest(swapped)))
    #expect(a.degrees == b.degrees)
    expectClose(a.result.statistic, b.result.statistic)
  }

  @Test func tablesOfOneRowOrColumnHaveNoTest() {
    for table: [[Double]] in [[], [[]], [[1, 2, 3]], [[1], [2]], [[0, 0], [0, 0]], [[0, 0], [3, 4]]] {
      #expect(chiSquaredTest(table) == nil)
    }
  }

  @Test func trendsAgreeWithSciPy() {
    for row in Reference.shared.trends { expectTest(pageTrendTest(row.rows), row.test) }
  }

  @Test func aReversedTrendHasTheOppositeEvidence() {
    let rows: [[Double]] = [[1, 3, 2, 5], [2, 2, 7, 1], [0, 1, 4, 9]]
    let (up, down) = (pageTrendTest(rows), pageTrendTest(rows.map { $0.reversed() }))
    expectProbability(up.pValue, 1 - down.pValue)
    #expect(up.pValue < 0.5)
  }

  @Test func holmAgreesWithStatsmodels() {
    for row in Reference.shared.holm {
      let adjusted = holm(row.p)
      #expect(adjusted.count == row.p.count)
      for (actual, expected) in zip(adjusted, row.adjusted) { expectProbability(actual, expected) }
    }
    #expect(holm([]).isEmpty)
  }

  @Test func holmKeepsTheOrderAndNeverLowersAPValue() {
    let pValues = [0.04, 0.001, 0.3, 0.02, 0.9]
    let adjusted = holm(pValues)
    #expect(zip(pValues, adjusted).allSatisfy { $0 <= $1 && $1 <= 1 })
    let order = pValues.indices.sorted { pValues[$0] < pValues[$1] }
    #expect(order.map { adjusted[$0] } == adjusted.sorted())
  }
}
