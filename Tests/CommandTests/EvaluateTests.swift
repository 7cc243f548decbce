import FileFormats
import Foundation
import TestSupport
import Testing

/// `evaluate` and `logits` on a run, and data sets that are wrong.
@Suite(.enabled(if: !isUnderOclgrind)) struct EvaluateTests {
  /// A folder with a data set and a trained run.
  private func withRun(_ body: (_ folder: String, _ run: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      #expect(try temper(training(folder, folder + "/run", ["--epochs", "3"])).code == 0)
      try body(folder, folder + "/run")
    }
  }

  private func evaluate(_ folder: String, _ run: String, _ more: [String]) throws -> [String: Any] {
    let arguments = ["evaluate", run, "--data-dir", folder, "--device", "cpu", "--json"] + more
    let outcome = try temper(arguments)
    #expect(outcome.code == 0, "\(outcome.messages)")
    return try outcome.json()
  }

  private func accuracy(_ report: [String: Any], _ key: String) throws -> Double {
    try #require(report[key] as? Double)
  }

  @Test func figuresObeyTheLaws() throws {
    try withRun { folder, run in
      let none = try evaluate(folder, run, ["--attack", "none"])
      let clean = try accuracy(none, "clean_accuracy")
      #expect(clean > 0.5, "chance is 0.1")
      let still = try evaluate(folder, run, ["--epsilon", "0"])
      #expect(try accuracy(still, "robust_accuracy") == clean)
      let pgd = try evaluate(folder, run, ["--epsilon", "8/255", "--steps", "10"])
      #expect(pgd["epsilon"] as? String == "8/255" && pgd["samples"] as? Int == 60)
      #expect(try accuracy(pgd, "robust_accuracy") <= clean)
      let whole = try evaluate(folder, run, ["--epsilon", "1", "--steps", "20", "--loss", "worst"])
      #expect(try accuracy(whole, "robust_accuracy") == 0)
      #expect(whole["losses"] as? [String] == ["ce", "margin"])
      let l2 = try evaluate(
        folder, run, ["--norm", "l2", "--epsilon", "2", "--restarts", "2", "--limit", "30"])
      #expect(l2["norm"] as? String == "l2" && l2["samples"] as? Int == 30 && l2["restarts"] as? Int == 2)
      let fgsm = try evaluate(folder, run, ["--attack", "fgsm", "--split", "validation"])
      #expect(fgsm["steps"] as? Int == 1 && fgsm["split"] as? String == "validation")
    }
  }

  @Test func logitsOfARunBecomeATable() throws {
    try withRun { folder, run in
      let out = folder + "/table.safetensors"
      let arguments = ["logits", run, "--data-dir", folder, "--device", "cpu", "--limit", "40", "--out", out]
      #expect(try temper(arguments).code == 0)
      let table = try Safetensors(contentsOf: out)
      #expect(try table.floats("logits").shape == [40, 10])
      #expect(try table.int32s("labels").values == (0..<40).map { Int32($0 % 10) })
      #expect(try table.int64s("sample_ids").values == (0..<40).map { Int64($0) })
      let attacked = folder + "/attacked.safetensors"
      let attack = ["--attacked", "--gradients", "--steps", "2", "--epsilon", "0.1", "--out", attacked]
      #expect(try temper(Array(arguments.dropLast(2)) + attack).code == 0)
      let other = try Safetensors(contentsOf: attacked)
      #expect(try other.floats("gap_gradient_norms").shape == [40] && other.metadata["epsilon"] == "0.1")
      #expect(try other.floats("logits").values != table.floats("logits").values)
      try expectFailure(64, ["one attack"], Array(arguments.dropLast(2)) + attack + ["--loss", "worst"])
      // Tables of the attacked images are of the same images; those of the validation images are of others.
      let validation = folder + "/validation.safetensors"
      let others = [
        "logits", run, "--data-dir", folder, "--device", "cpu", "--split", "validation", "--limit", "40",
      ]
      #expect(try temper(others + ["--out", validation]).code == 0)
      #expect(try temper(["analyze", "--standard", out, "--robust", attacked]).code == 0)
      try expectFailure(65, ["images"], ["analyze", "--standard", out, "--robust", validation])
      #expect(table.metadata["weights_sha256"]?.count == 64 && table.metadata["split"] == "test")
      let analyze = ["analyze", "--standard", run, "--robust", run, "--data-dir", folder, "--device", "cpu"]
      let report = try temper(analyze + ["--limit", "40", "--steps", "2", "--json"]).json()
      let clean = try #require(report["clean"] as? [String: Any])
      let all = try #require(((clean["pairs"] as? [Any])?.first as? [String: Any])?["all"] as? [String: Any])
      let measures = try #require(all["measures"] as? [String: Any])
      #expect(measures["gap_gradient_norm"] != nil && measures["local_radius"] != nil)
      #expect(all["standard_accuracy"] as? Double == all["robust_accuracy"] as? Double)
      #expect(all["confidence_rank_correlation"] as? Double == 1)
    }
  }

  @Test func wrongSettingsAreRefused() throws {
    try withRun { folder, run in
      let evaluate = ["evaluate", run, "--data-dir", folder, "--device", "cpu"]
      for (more, word) in [
        (["--epsilon", "-1"], "-1"), (["--epsilon", "8/0"], "8/0"), (["--steps", "-1"], "--steps"),
        (["--step-size", "-0.1"], "--step-size"), (["--restarts", "0"], "--restarts"),
        (["--limit", "0"], "--limit"), (["--data", "svhn"], "svhn"), (["--split", "all"], "all"),
      ] { try expectFailure(64, [word], evaluate + more) }
      try expectFailure(66, [folder + "/none"], ["evaluate", folder + "/none", "--device", "cpu"])
      let empty = folder + "/empty"
      try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
      try expectFailure(66, ["best.safetensors"], ["evaluate", empty, "--device", "cpu"])
      try expectFailure(
        66, ["images-idx3-ubyte", empty], ["evaluate", run, "--data-dir", empty, "--device", "cpu"])
    }
  }

  /// Images and labels cut short, prolonged, exchanged, out of range.
  @Test func damagedDataSetsAreRefused() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder, training: 60)
      let (images, labels) = ("\(folder)/train-images-idx3-ubyte", "\(folder)/train-labels-idx1-ubyte")
      let (pixels, classes) = (try InputFile.read(images), try InputFile.read(labels))
      let cases: [(String, [UInt8], String)] = [
        (images, Array(pixels.dropLast()), "truncated"), (images, pixels + [0], "goes on after"),
        (images, classes, images), (images, Array("<!doctype html>".utf8), "no IDX file"),
        (images, [], images),
        (labels, Array(classes.dropLast()), "truncated"), (labels, pixels, labels),
        (labels, idx(0x801, [59]) + [UInt8](repeating: 1, count: 59), "59"),
        (labels, Array(classes.dropLast()) + [10], "10"),
      ]
      for (file, bytes, word) in cases {
        let original = file == images ? pixels : classes
        try AtomicFile.write(bytes, to: file)
        try expectFailure(65, [word], training(folder, folder + "/run"))
        try AtomicFile.write(original, to: file)
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
    }
  }
}
