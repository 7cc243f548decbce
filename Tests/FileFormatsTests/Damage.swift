import FileFormats
import Randomness
import Testing

/// Reads every proper prefix of `bytes` and expects each to be refused as bad data.
func expectTruncationsRefused(_ bytes: [UInt8], _ read: ([UInt8]) throws -> Void) {
  for count in 0..<bytes.count {
    let error = #expect(throws: TemperError.self, "\(count) of \(bytes.count) bytes") {
      try read(Array(bytes[..<count]))
    }
    #expect(error?.kind == .badData)
    #expect(error?.file == "damaged")
  }
}

/// Reads copies of `bytes` with one to four random bytes changed. Each may be accepted or refused with a
/// ``TemperError``; anything else fails, and a crash ends the test run. Some must be refused.
func expectFlipsSurvived(_ bytes: [UInt8], _ read: ([UInt8]) throws -> Void) {
  var refused = 0
  for trial in 0..<3000 {
    var stream = RandomStream(seed: 1, purpose: .test, sample: UInt32(trial))
    var damaged = bytes
    for _ in 0...stream.nextInteger(below: 4) {
      damaged[stream.nextInteger(below: bytes.count)] = UInt8(stream.nextInteger(below: 256))
    }
    do {
      try read(damaged)
    } catch let error as TemperError {
      refused += 1
      #expect(error.kind == .badData)
    } catch {
      Issue.record("unexpected \(error) in trial \(trial)")
    }
  }
  #expect(refused > 0)
}

/// The path of a file below Tests/Fixtures/FileFormats.
func formatFixture(_ name: String, from file: StaticString = #filePath) -> String {
  let tests = "\(file)".split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
  return tests.joined(separator: "/") + "/Fixtures/FileFormats/" + name
}
