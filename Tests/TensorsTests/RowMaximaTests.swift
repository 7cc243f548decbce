import Devices
import TestSupport
import Tensors
import Testing

@Suite struct RowMaximaTests {
  /// Few distinct values, so that equal maxima are common.
  static func values(_ c: RowCase, distinct: Int, _ random: inout Seeded) -> [Float] {
    (0..<c.rows * c.columns).map { _ in Float(Int.random(in: -distinct...distinct, using: &random)) }
  }

  @Test(arguments: devicesUnderTest, RowCase.all)
  func lowestIndexOfTheMaximum(device: Device, c: RowCase) throws {
    var random = Seeded(1)
    for distinct in [1, 1000] {
      let values = Self.values(c, distinct: distinct, &random)
      let x = try Tensor(values, shape: [c.rows, c.columns], on: device)
      let rows = (0..<c.rows).map { c.row($0, of: values) }
      #expect(try argmax(x).integers() == rows.map { Int32($0.firstIndex(of: $0.max()!)!) })
      #expect(try maximumLogit(x).floats() == rows.map { Float($0.max()!) })
    }
  }

  @Test(arguments: devicesUnderTest, RowCase.pairs)
  func twoLargestAndTheirGap(device: Device, c: RowCase) throws {
    var random = Seeded(2)
    for distinct in [1, 1000] {
      let values = Self.values(c, distinct: distinct, &random)
      let x = try Tensor(values, shape: [c.rows, c.columns], on: device)
      let sorted = (0..<c.rows).map { c.row($0, of: values).sorted(by: >).map { Float($0) } }
      let (maximum, second) = try topTwo(x)
      #expect(try maximum.floats() == sorted.map { $0[0] })
      #expect(try second.floats() == sorted.map { $0[1] })
      #expect(try logitGap(x).floats() == sorted.map { $0[0] - $0[1] })
    }
  }

  @Test(arguments: devicesUnderTest, RowCase.pairs)
  func gradientsAreOneHotDifferences(device: Device, c: RowCase) throws {
    var random = Seeded(3)
    let values = Self.values(c, distinct: 3, &random)
    let x = try Tensor(values, shape: [c.rows, c.columns], on: device)
    // Upstream 2 v / N for a row's value v, from the mean of squares.
    let zero = try Tensor(repeating: 0, shape: [c.rows], on: device)
    var (gap, maximum) = (Reference(count: values.count), Reference(count: values.count))
    for i in 0..<c.rows {
      let row = c.row(i, of: values)
      let order = row.indices.sorted { (row[$0], $1) > (row[$1], $0) }
      let scale = 2 / Double(c.rows)
      gap.add(scale * (row[order[0]] - row[order[1]]), to: i * c.columns + order[0])
      gap.add(-scale * (row[order[0]] - row[order[1]]), to: i * c.columns + order[1])
      maximum.add(scale * row[order[0]], to: i * c.columns + order[0])
    }
    let (_, gapGradient) = try valueWithGradient(at: x) { try meanSquaredError(logitGap($0), zero) }
    expectClose(try gapGradient.floats(), gap, factor: 4)
    let (_, maximumGradient) = try valueWithGradient(at: x) { try meanSquaredError(maximumLogit($0), zero) }
    expectClose(try maximumGradient.floats(), maximum, factor: 4)
  }

  /// Equal largest elements: 1 at the lowest index, -1 at the next.
  @Test(arguments: devicesUnderTest)
  func gapGradientOfEqualMaxima(device: Device) throws {
    let x = try Tensor([1 as Float, 9, 4, 9, 9, 2, 2, 2, 2, 3], shape: [2, 5], on: device)
    let (value, gradient) = try valueWithGradient(at: x) { try sum(logitGap($0)) }
    #expect(try value.scalar() == 1)
    #expect(try gradient.floats() == [0, 1, 0, -1, 0, -1, 0, 0, 0, 1])
  }

  /// Indices stay in range whatever the values.
  @Test(arguments: devicesUnderTest)
  func rowsWithoutNumbersHaveIndicesInRange(device: Device) throws {
    let (n, i) = (Float.nan, Float.infinity)
    let x = try Tensor([n, n, n, 1, n, 2, n, 5, 6, -i, -i, -i, 1, n, n], shape: [5, 3], on: device)
    #expect(try argmax(x).integers().allSatisfy { (0..<3).contains($0) })
    let (_, gradient) = try valueWithGradient(at: x) { try sum(logitGap($0)) }
    for row in 0..<5 {
      #expect(try gradient.floats()[row * 3..<row * 3 + 3].sorted() == [-1, 0, 1])
    }
  }

  @Test(arguments: devicesUnderTest)
  func singleColumnsHaveNoSecond(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [2, 1], on: device)
    #expect(throws: (any Error).self) { try topTwo(x) }
    #expect(throws: (any Error).self) { try logitGap(x) }
  }
}
