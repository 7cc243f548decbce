import FileFormats
import Foundation
import Reports
import TestSupport
import Testing

/// `temper report` from training to the page.
@Suite(.enabled(if: !isUnderOclgrind, "of the CPU only")) struct ReportTests {
  /// Three pairs of runs and one of another radius, on synthetic images.
  private func withRuns(_ body: (_ folder: String, _ arguments: [String]) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      var (standard, robust): ([String], [String]) = ([], [])
      func train(_ name: String, _ more: [String]) throws -> String {
        #expect(try temper(training(folder, "\(folder)/\(name)", more)).code == 0)
        return "\(folder)/\(name)"
      }
      for seed in 0..<3 {
        standard.append(try train("standard-\(seed)", ["--seed", "\(seed)"]))
        robust.append(
          try train(
            "robust-\(seed)", ["--seed", "\(seed)", "--method", "pgd", "--steps", "2", "--epsilon", "0.1"]))
      }
      let doses = try ["0.05", "0.2"].map {
        try train("dose-\($0)", ["--method", "pgd", "--steps", "2", "--epsilon", $0])
      }
      try body(
        folder,
        ["report", "--standard"] + standard + ["--robust"] + robust
          + ["--dose"] + doses + [
            "--data-dir", folder, "--device", "cpu", "--attacked-limit", "20", "--steps", "2",
          ])
    }
  }

  @Test func thePageHoldsEverythingAndFetchesNothing() throws {
    try withRuns { folder, arguments in
      let out = folder + "/report.html"
      let outcome = try temper(arguments + ["--out", out, "--json"])
      #expect(outcome.code == 0, "\(outcome.messages)")
      let claims = try #require(outcome.json()["claims"] as? [[String: Any]])
      let ids = ["C1a", "C1b", "C1c", "C1d", "C1e", "C1f", "C1g", "C2a", "C2b", "C2c"]
      #expect(claims.compactMap { $0["id"] as? String } == ids)
      let linear = try #require(outcome.json()["linear"] as? [String: Any])
      for kind in ["standard", "robust"] {
        let estimates = try #require((linear[kind] as? [String: Any])?["estimates"] as? [String: Any])
        #expect(Set(estimates.keys) == ["runner_up", "ball", "clipped"])
      }
      let page = try Outline(String(decoding: try InputFile.read(out), as: UTF8.self))
      let galleries = page.elements.filter { $0.attributes["class"] == "gallery" }
      let cards = page.elements.filter { $0.attributes["class"] == "card" }
      #expect(galleries.count == 2 && cards.count == 12)
      #expect(page.elements.filter { $0.name == "img" }.allSatisfy { $0.attributes["alt"]?.isEmpty == false })
      #expect(page.count("figure") == 16)
      // The two graphs of classes need no gnuplot.
      #expect(page.count("svg") == (Gnuplot.installed == nil ? 2 : 16))
      let addresses = page.elements.flatMap { element in
        ["src", "href", "xlink:href"].compactMap { element.attributes[$0] }
      }
      #expect(addresses.count > 60 && addresses.allSatisfy { $0.hasPrefix("data:") || $0.hasPrefix("#") })
      #expect(page.count("script") == 0)
      let downloads = page.elements.compactMap { $0.attributes["download"] }
      #expect(
        downloads == ["study.json", "effects.csv", "class-confusions.csv", "claims.csv", "samples.npz"])
      // Kept measurements give the same figures at once.
      let again = try temper(arguments + ["--out", folder + "/report.md", "--json"])
      #expect(again.output == outcome.output)
      let markdown = String(decoding: try InputFile.read(folder + "/report.md"), as: UTF8.self)
      #expect(markdown.contains("| C1b: AT shrinks the logit gap |"))
      // `analyze` gives the same object, and its text all tables.
      let analyze = ["analyze"] + arguments.dropFirst()
      #expect(try temper(analyze + ["--json"]).output == outcome.output)
      let text = try temper(analyze + ["--out", folder + "/study"])
      for caption in [
        "Claims and what the figures say:", "Under attack", "Quantiles over the samples:",
        "Agreement on which samples", "Samples by true class:", "Mean features of the images",
        "Samples with the largest differences", "by true class:", "Nearest wrong classes:",
        "Orders of the classes",
        "fitted temperatures:", "Attacked training images",
        "locally linear network", "change their class under attack", "Networks by radius:", "Accuracy:",
      ] {
        #expect(text.output.contains(caption), "\(caption)")
      }
      #expect(!text.messages.contains("note") && !text.messages.contains("warning"), "\(text.messages)")
      #expect(try files(folder + "/study").count == 8)
      #expect(try files(folder + "/robust-1/analysis").count == 6)
    }
  }

  @Test func wrongInputIsRefused() throws {
    try withTemporaryFolder { folder in
      let report = ["report", "--standard", "a", "--robust", "b", "--out", folder + "/r.html"]
      try expectFailure(64, ["--robust", "2"], report + ["--robust", "c"])
      try expectFailure(64, [".html"], ["report", "--standard", "a", "--robust", "b", "--out", "r.pdf"])
      try expectFailure(64, ["--limit"], report + ["--limit", "0"])
      try expectFailure(64, ["--steps"], report + ["--steps", "0"])
      try expectFailure(66, ["a/config.yaml"], report + ["--device", "cpu"])
      try expectFailure(66, ["a/config.yaml"], ["analyze", "--standard", "a", "--robust", "b"])
      // Whether the results can be written is known before anything is read.
      try expectFailure(74, ["none/r.html"], report.dropLast() + [folder + "/none/r.html"])
      try AtomicFile.write("", to: folder + "/file")
      try expectFailure(
        74, [folder + "/file/study"], ["analyze"] + report[1..<5] + ["--out", folder + "/file/study"])
      #expect(try files(folder) == ["file"])
    }
  }
}
