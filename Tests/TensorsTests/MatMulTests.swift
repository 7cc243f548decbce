import Devices
import Tensors
import TestSupport
import Testing

/// Extents of a product; 1, 2, primes, and each tile's extent minus one, itself and plus one (rows 6, 12, 14;
/// panels 8, 16, 32; depth blocks 320 and 512).
struct ProductCase: CustomTestStringConvertible {
  let m, n, k: Int
  var testDescription: String { "\(m)x\(n)x\(k)" }

  static let all: [ProductCase] = {
    let fixed = [
      (1, 1, 1), (2, 2, 2), (1, 10, 7), (7, 1, 3), (5, 7, 11), (6, 8, 4), (12, 32, 16), (13, 33, 17),
      (11, 31, 15), (14, 16, 31), (15, 17, 33), (37, 41, 43), (25, 65, 9),
    ]
    let large =
      isUnderOclgrind
      ? []
      : [
        (97, 129, 513), (30, 40, 321), (128, 200, 1024), (64, 64, 511), (25, 770, 256), (200, 300, 1),
        (3, 5, 14_401),
      ]
    return (fixed + large).map { ProductCase(m: $0.0, n: $0.1, k: $0.2) }
  }()
}

@Suite struct MatMulTests {
  /// Fused multiply-adds in any order: at most k / 2 roundings, for random signs far fewer; 2 sqrt(k) + 4
  /// leaves room for a blocked order of summation.
  static func factor(_ k: Int) -> Double { 2 * Double(k).squareRoot() + 4 }

  static func reference(_ a: [Float], _ b: [Float], _ c: ProductCase, _ ta: Bool, _ tb: Bool) -> Reference {
    var result = Reference(count: c.m * c.n)
    for i in 0..<c.m {
      for j in 0..<c.n {
        for k in 0..<c.k {
          let x = a[ta ? k * c.m + i : i * c.k + k]
          let y = b[tb ? j * c.k + k : k * c.n + j]
          result.add(Double(x) * Double(y), to: i * c.n + j)
        }
      }
    }
    return result
  }

  @Test(arguments: devicesUnderTest, ProductCase.all)
  func productsOfAllTransposes(device: Device, c: ProductCase) throws {
    var random = Seeded(1)
    let a = random.floats(c.m * c.k)
    let b = random.floats(c.k * c.n)
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
      let x = try Tensor(a, shape: ta ? [c.k, c.m] : [c.m, c.k], on: device)
      let y = try Tensor(b, shape: tb ? [c.n, c.k] : [c.k, c.n], on: device)
      let product = try matmul(x, y, transposeA: ta, transposeB: tb)
      #expect(product.shape == [c.m, c.n])
      expectClose(
        try product.floats(), Self.reference(a, b, c, ta, tb), factor: Self.factor(c.k), "\(ta) \(tb)")
    }
  }

  @Test(arguments: devicesUnderTest, ProductCase.all)
  func linearAddsBiasAndRelu(device: Device, c: ProductCase) throws {
    var random = Seeded(2)
    let (a, b, bias) = (random.floats(c.m * c.k), random.floats(c.k * c.n), random.floats(c.n))
    var reference = Self.reference(a, b, c, false, false)
    for i in 0..<c.m { for j in 0..<c.n { reference.add(Double(bias[j]), to: i * c.n + j) } }
    reference.values = reference.values.map { max($0, 0) }
    let y = try linear(
      Tensor(a, shape: [c.m, c.k], on: device), Tensor(b, shape: [c.k, c.n], on: device),
      bias: Tensor(bias, shape: [c.n], on: device), activation: .relu)
    expectClose(try y.floats(), reference, factor: Self.factor(c.k))
  }

  @Test(arguments: devicesUnderTest)
  func mismatchedExtentsThrow(device: Device) throws {
    let x = try Tensor(repeating: 1, shape: [2, 3], on: device)
    #expect(throws: (any Error).self) { try matmul(x, x) }
  }
}
