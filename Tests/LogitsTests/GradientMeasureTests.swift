import FileFormats
import Logits
import TestSupport
import Testing

@Suite struct GradientMeasureTests {
  @Test func radiusIsGapOverNormAndAtMostOne() throws {
    let table = try LogitTable(
      logits: [3, 1, 3, 1, 3, 1, 1, 1], classCount: 2, gapGradientNorms: [4, 1, 0, 0])
    #expect(table.measures().values(.gapGradient) == [4, 1, 0, 0])
    #expect(table.measures().values(.localRadius) == [0.5, 1, 1, 1])
  }

  @Test func normsSurviveFilesSelectionAndDivision() throws {
    let table = try LogitTable(
      logits: [3, 1, 0, 1], classCount: 2, labels: [0, 1], gapGradientNorms: [4, 2])
    try withTemporaryFolder { folder in
      try table.write(to: folder + "/t.safetensors")
      #expect(try LogitTable(contentsOf: folder + "/t.safetensors") == table)
    }
    #expect(table.selecting([1]).gapGradientNorms == [2])
    // The gap and its gradient shrink alike: the radius stays.
    let halved = table.divided(by: 2)
    #expect(halved.gapGradientNorms == [2, 1])
    #expect(halved.measures().values(.localRadius) == table.measures().values(.localRadius))
  }

  @Test(arguments: [[1], [1, -1], [1, .nan], [1, .infinity]] as [[Float]])
  func refusesBadNorms(norms: [Float]) {
    let error = #expect(throws: TemperError.self) {
      try LogitTable(logits: [3, 1, 0, 1], classCount: 2, gapGradientNorms: norms)
    }
    #expect(error?.kind == .badData)
    #expect(error?.description.contains("gap_gradient_norms") == true)
  }
}
