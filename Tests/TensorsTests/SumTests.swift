import Devices
import TestSupport
import Tensors
import Testing

@Suite struct SumTests {
  static let counts =
    [1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1021, 1531]
    + (isUnderOclgrind ? [] : [4095, 8193, 100_003, 1_000_003])

  /// Small integers, whose sums are exact in any order: a single element left out or taken twice shows.
  static func integers(_ count: Int, _ random: inout Seeded) -> [Float] {
    (0..<count).map { _ in Float(Int.random(in: -4...4, using: &random)) }
  }

  @Test(arguments: devicesUnderTest, counts)
  func sumsAndMeans(device: Device, count: Int) throws {
    var random = Seeded(1)
    let values = Self.integers(count, &random)
    let total = values.reduce(0) { $0 + Double($1) }
    let x = try Tensor(values, shape: [count], on: device)
    #expect(try sum(x).shape == [])
    #expect(try sum(x).scalar() == Float(total))
    expectClose(try mean(x).floats(), Reference([total / Double(count)]), factor: 2)
    let (_, ones) = try valueWithGradient(at: x) { try sum($0) }
    #expect(try ones.floats().allSatisfy { $0 == 1 })
    // The gradient of mean^2 is 2 mean / count everywhere.
    let zero = try Tensor(repeating: 0, shape: [], on: device)
    let (_, gradient) = try valueWithGradient(at: x) { try meanSquaredError(mean($0), zero) }
    let expected = 2 * total / Double(count) / Double(count)
    expectClose(try gradient.floats(), Reference(Array(repeating: expected, count: count)), factor: 6)
  }

  @Test(arguments: devicesUnderTest, counts)
  func meanSquaredErrors(device: Device, count: Int) throws {
    var random = Seeded(2)
    let (a, b) = (Self.integers(count, &random), Self.integers(count, &random))
    let (x, y) = (try Tensor(a, shape: [count], on: device), try Tensor(b, shape: [count], on: device))
    let difference = zip(a, b).map { Double($0) - Double($1) }
    let squares = difference.map { $0 * $0 }.reduce(0, +)
    let toA = Reference(difference.map { 2 * $0 / Double(count) })
    let (value, gradient) = try valueWithGradient(at: x) { try meanSquaredError($0, y) }
    #expect(value.shape == [])
    expectClose(try value.floats(), Reference([squares / Double(count)]), factor: 2)
    expectClose(try gradient.floats(), toA, factor: 4)
    // The gradient of (error - 0)^2 is 2 error times that of the error.
    let zero = try Tensor(repeating: 0, shape: [], on: device)
    let (_, scaled) = try valueWithGradient(at: x) { try meanSquaredError(meanSquaredError($0, y), zero) }
    let mean = squares / Double(count)
    expectClose(try scaled.floats(), Reference(toA.values.map { 2 * mean * $0 }), factor: 8)
    let (_, toB) = try valueWithGradient(at: y) { try meanSquaredError(x, $0) }
    expectClose(try toB.floats(), Reference(toA.values.map { -$0 }), factor: 4)
  }

  /// Groups of summands depend on the extent alone.
  @Test func anyNumberOfThreadsGivesTheSameBits() throws {
    var random = Seeded(3)
    let values = random.floats(300_007)
    let sums = try [1, 2, 3].map { threads in
      try sum(Tensor(values, shape: [values.count], on: .cpu(CPU(threads: threads)))).scalar()
    }
    #expect(sums[0] == sums[1] && sums[0] == sums[2])
  }

  @Test(arguments: devicesUnderTest)
  func repeatedSumsHaveTheSameBits(device: Device) throws {
    var random = Seeded(4)
    let count = isUnderOclgrind ? 3001 : 300_007
    let x = try Tensor(random.floats(count), shape: [count], on: device)
    let first = try sum(x).scalar()
    for _ in 0..<3 { #expect(try sum(x).scalar() == first) }
  }

  @Test(arguments: devicesUnderTest)
  func wrongArgumentsThrow(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [2, 3], on: device)
    #expect(throws: (any Error).self) { try meanSquaredError(x, x.reshaped([3, 2])) }
    #expect(throws: (any Error).self) { try mean(Tensor([Float](), shape: [0], on: device)) }
  }
}
