import FileFormats
import Foundation
import TestSupport
import Testing

/// `demo` from end to end on synthetic images.
@Suite(.enabled(if: !isUnderOclgrind)) struct DemoTests {
  @Test func theDemoResumesAndReports() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let arguments = [
        "demo", "--quick", "--data-dir", folder, "--out", folder + "/demo", "--device", "cpu",
      ]
      let stopped = try temper(arguments, interruptAfter: "robust: epoch 1/3")
      #expect(stopped.code == 75, "\(stopped.messages)")
      let outcome = try temper(arguments)
      #expect(outcome.code == 0, "\(outcome.messages)")
      #expect(
        !outcome.messages.contains("\nstandard: epoch") && outcome.messages.contains("robust: epoch 2/3"))
      #expect(outcome.output.split(separator: "\n").filter { $0.hasPrefix("|") }.count == 9)
      let results = try JSONSerialization.jsonObject(
        with: Data(InputFile.read(folder + "/demo/results.json")))
      let rows = try #require((results as? [String: Any])?["rows"] as? [[String: Any]])
      #expect(rows.count == 7)
      let page = try String(contentsOfFile: folder + "/demo/index.html", encoding: .utf8)
      #expect(page.contains("<table"))
      for fetched in ["src=\"http", "href=\"http", "url(http", "@import"] { #expect(!page.contains(fetched)) }
      // Finished, it trains and attacks nothing again.
      let again = try temper(arguments)
      #expect(again.code == 0 && !again.messages.contains("epoch") && again.output == outcome.output)
    }
  }
}
