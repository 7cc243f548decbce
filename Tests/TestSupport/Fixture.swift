import Foundation

/// The path of a file of Tests/Fixtures.
package func fixture(_ name: String, file: StaticString = #filePath) -> String {
  let support = URL(fileURLWithPath: "\(file)").deletingLastPathComponent()
  return support.deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)").path
}

/// A folder that is deleted with its last reference.
package final class TemporaryFolder {
  package let path: String

  package init() {
    path = FileManager.default.temporaryDirectory.path + "/temper-tests-\(UUID().uuidString)"
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A path inside.
  package func file(_ name: String) -> String { path + "/" + name }
}
