import Foundation

/// The folder that holds Package.swift.
package let repositoryRoot: String = {
  let support = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  return support.deletingLastPathComponent().deletingLastPathComponent().path
}()

/// The path of a file of Tests/Fixtures.
package func fixture(_ name: String) -> String { repositoryRoot + "/Tests/Fixtures/" + name }
