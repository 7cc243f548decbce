import FileFormats
import Foundation
import TestSupport
import Testing

/// `train` and `distill`: the run folder, resuming, and what they refuse.
@Suite(.enabled(if: !isUnderOclgrind)) struct TrainTests {
  @Test func aRunFolderHoldsEverything() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let run = folder + "/run"
      let outcome = try temper(training(folder, run, ["--seed", "3"]))
      #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome.messages)")
      #expect(outcome.messages.contains("device: cpu") && outcome.messages.contains("epoch 2/2"))
      #expect(!outcome.messages.contains("\u{1B}") && !outcome.messages.contains("\r"))
      #expect(try files(run) == ["best.safetensors", "config.yaml", "last.safetensors", "metrics.csv"])
      let metrics = try String(contentsOfFile: run + "/metrics.csv", encoding: .utf8).split(separator: "\n")
      #expect(metrics.count == 3 && metrics[0].hasPrefix("epoch,lr,train_loss,validation_accuracy"))
      let configuration = try String(contentsOfFile: run + "/config.yaml", encoding: .utf8)
      for line in ["seed: 3", "epochs: 2", "model: mlp", "method: standard"] {
        #expect(configuration.contains(line), "\(line)")
      }
      let file = try Safetensors(contentsOf: run + "/best.safetensors")
      for key in ["model", "normalization", "classes", "epsilon", "seed", "dataset", "temper_version"] {
        #expect(file.metadata[key]?.isEmpty == false, "\(key)")
      }
      // The same command leaves a finished run as it is; other settings are refused.
      let before = try InputFile.read(run + "/last.safetensors")
      #expect(try temper(training(folder, run, ["--seed", "3"])).code == 0)
      #expect(try InputFile.read(run + "/last.safetensors") == before)
      try expectFailure(64, [run, "other settings"], training(folder, run, ["--seed", "4"]))
      #expect(try InputFile.read(run + "/last.safetensors") == before)
    }
  }

  /// One seed gives the same bytes with any number of threads.
  @Test func runsAreReproducible() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder, training: 240)
      var all: [[UInt8]] = []
      for (name, threads) in [("a", "1"), ("b", "2"), ("c", "5")] {
        let arguments = training(
          folder, "\(folder)/\(name)",
          ["--model", "small-cnn", "--method", "pgd", "--steps", "2", "--threads", threads])
        #expect(try temper(arguments).code == 0)
        all.append(try InputFile.read("\(folder)/\(name)/last.safetensors"))
      }
      #expect(all[0] == all[1] && all[0] == all[2])
    }
  }

  /// The precision is a setting of the run: it is kept with it, changes its weights, and cannot change on the way.
  @Test func bfloat16IsKeptWithTheRun() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      #expect(try temper(training(folder, folder + "/full", [])).code == 0)
      #expect(try temper(training(folder, folder + "/half", ["--precision", "bf16"])).code == 0)
      let configuration = try String(contentsOfFile: folder + "/half/config.yaml", encoding: .utf8)
      #expect(configuration.contains("precision: bf16"))
      #expect(
        try InputFile.read(folder + "/full/last.safetensors")
          != InputFile.read(folder + "/half/last.safetensors"))
      try expectFailure(64, ["other settings"], training(folder, folder + "/half", []))
      try expectFailure(
        64, ["--precision", "fp32"], training(folder, folder + "/third", ["--precision", "fp16"]))
    }
  }

  /// Ctrl-C saves the state and exits with 75; the same command ends where an uninterrupted one does.
  @Test(arguments: ["small-cnn", "resnet18"])
  func interruptedRunsResume(model: String) throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder, training: model == "resnet18" ? 200 : 400)
      let more = [
        "--epochs", "6", "--method", "pgd", "--model", model, "--width-multiplier", "0.0625", "--steps", "3",
      ]
      #expect(try temper(training(folder, folder + "/whole", more)).code == 0)
      let run = folder + "/parts"
      let stopped = try temper(training(folder, run, more), interruptAfter: "epoch 2/6")
      #expect(stopped.code == 75 && stopped.messages.contains("is saved"), "\(stopped.messages)")
      #expect(try files(run).contains("checkpoint.safetensors"))
      #expect(try files(run).allSatisfy { !$0.hasSuffix(".tmp") })
      let resumed = try temper(training(folder, run, more))
      #expect(resumed.code == 0 && !resumed.messages.contains("epoch 2/6"), "\(resumed.messages)")
      #expect(try weights(run + "/last.safetensors") == weights(folder + "/whole/last.safetensors"))
      #expect(try !files(run).contains("checkpoint.safetensors"))
    }
  }

  @Test func studentsLearnFromEveryManipulation() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      #expect(try temper(training(folder, folder + "/teacher", ["--epochs", "4"])).code == 0)
      var students: [[String: [Float]]] = []
      for manipulation in ["intact", "uniform", "permute", "reverse"] {
        let run = folder + "/" + manipulation
        let outcome = try temper([
          "distill", "--teacher", folder + "/teacher", "--manipulation", manipulation, "--temperature", "4",
          "--data-dir", folder, "--model", "mlp", "--epochs", "2", "--lr", "0.02", "--device", "cpu",
          "--out", run,
        ])
        #expect(outcome.code == 0, "\(outcome.messages)")
        let file = try Safetensors(contentsOf: run + "/best.safetensors")
        #expect(file.metadata["manipulation"] == manipulation && file.metadata["temperature"] == "4.0")
        #expect(file.metadata["teacher_sha256"]?.count == 64)
        students.append(try weights(run + "/last.safetensors"))
      }
      for i in 1..<4 { #expect(students[i] != students[0], "manipulation \(i)") }
    }
  }

  @Test func senselessSettingsAreRefused() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder, training: 60)
      let out = folder + "/run"
      let cases: [([String], String)] = [
        (["--model", "vgg"], "vgg"), (["--data", "cifar"], "cifar"), (["--epsilon", "-0.1"], "-0.1"),
        (["--method", "pgd", "--epsilon", "eight"], "eight"), (["--epochs", "0"], "epochs"),
        (["--batch-size", "0"], "batch"), (["--lr", "-1"], "lr"), (["--lr", "nan"], "lr"),
        (["--method", "trades"], "trades"), (["--method", "distill"], "distill"),
        (["--limit", "0"], "limit"),
        (["--schedule", "never"], "never"), (["--norm", "l7"], "l7"), (["--threads", "0"], "threads"),
      ]
      for (more, word) in cases { try expectFailure(64, [word], training(folder, out, more)) }
      let distill = ["distill", "--data-dir", folder, "--out", out, "--device", "cpu", "--teacher"]
      try expectFailure(66, [folder + "/none"], distill + [folder + "/none"])
      #expect(try temper(training(folder, folder + "/teacher", ["--epochs", "1"])).code == 0)
      let teacher = distill + [folder + "/teacher"]
      try expectFailure(64, ["shuffle", "permute"], teacher + ["--manipulation", "shuffle"])
      try expectFailure(64, ["--temperature", "0"], teacher + ["--temperature", "0"])
      #expect(!FileManager.default.fileExists(atPath: out))
    }
  }

  @Test func aLossThatExplodesEndsTheRun() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let more = ["--lr", "1e30", "--schedule", "constant"]
      try expectFailure(76, ["loss", "--lr"], training(folder, folder + "/run", more))
      // Nothing was lost, so that another rate may use the folder.
      #expect(try temper(training(folder, folder + "/run")).code == 0)
    }
  }

  /// A limit on file sizes fails writes halfway, as a full disk does.
  @Test func aFullDiskLeavesNoPartialFile() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      let run = folder + "/run"
      try expectFailure(74, [run + "/last.safetensors"], training(folder, run), shell: "ulimit -f 64;")
      #expect(try files(run) == ["config.yaml"])
      try expectFailure(74, ["cannot be made"], training(folder, folder + "/t10k-labels-idx1-ubyte/run"))
    }
  }
}
