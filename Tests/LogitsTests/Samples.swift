import FileFormats
import Logits
import Randomness

/// A table of seeded normal logits with labels.
func randomTable(samples: Int, classes: Int, scale: Float = 3, seed: UInt64 = 1) throws -> LogitTable {
  var stream = RandomStream(seed: seed, purpose: .test)
  return try LogitTable(
    logits: (0..<samples * classes).map { _ in Float(stream.nextNormal()) * scale }, classCount: classes,
    labels: (0..<samples).map { _ in Int32(stream.nextInteger(below: classes)) },
    provenance: ["model": "random"])
}

/// The path of a file below Tests/Fixtures/Logits.
func fixture(_ name: String, from file: StaticString = #filePath) -> String {
  let tests = "\(file)".split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
  return tests.joined(separator: "/") + "/Fixtures/Logits/" + name
}
