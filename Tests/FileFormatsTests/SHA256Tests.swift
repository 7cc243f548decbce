import FileFormats
import TestSupport
import Testing

@Suite struct SHA256Tests {
  /// The examples of FIPS 180-4 and the one-million-letter vector.
  @Test func matchesKnownVectors() {
    let long = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    #expect(
      SHA256.hex(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.hex(of: Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SHA256.hex(of: Array(long.utf8)) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    #expect(
      SHA256.hex(of: [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func digestDoesNotDependOnThePieces() {
    for count in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 121, 128, 200] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
      for piece in [1, 3, 63, 64, 65] {
        var digest = SHA256()
        for start in stride(from: 0, to: count, by: piece) {
          Array(bytes[start..<min(start + piece, count)]).withUnsafeBytes { digest.update($0) }
        }
        #expect(digest.hex() == SHA256.hex(of: bytes))
      }
    }
  }

  @Test func digestsFiles() throws {
    try withTemporaryFolder { folder in
      let bytes = [UInt8](repeating: 7, count: 600_001)
      try AtomicFile.write(bytes, to: folder + "/data")
      #expect(try SHA256.hex(ofFile: folder + "/data") == SHA256.hex(of: bytes))
      #expect(throws: TemperError.self) { try SHA256.hex(ofFile: folder + "/none") }
    }
  }
}
