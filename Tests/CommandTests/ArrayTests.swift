import FileFormats
import Foundation
import Logits
import TestSupport
import Testing

/// Commands on weights and arrays of any origin: `logits`, `attack`, `analyze`, with fixtures made by PyTorch.
@Suite(.enabled(if: !isUnderOclgrind)) struct ArrayTests {
  private let network = ["--weights", fixture("small_cnn.safetensors"), "--model", "small-cnn"]
  private let images = ["--images", fixture("small_cnn_images.npy")]
  private let labels = ["--labels", fixture("small_cnn_labels.npy")]
  private let pgd = ["--epsilon", "0.1", "--steps", "7", "--step-size", "0.025", "--no-random-start"]

  private func expected(_ name: String) throws -> [Float] {
    try Safetensors(contentsOf: fixture("small_cnn_case.safetensors")).floats(name).values
  }

  private func read(_ path: String) throws -> NpyArray { try NpyArray(contentsOf: path) }

  @Test(arguments: deviceNames) func logitsAreThoseOfPyTorch(device: String) throws {
    try withTemporaryFolder { folder in
      let out = folder + "/l.npy"
      let outcome = try temper(["logits"] + network + images + ["--out", out, "--device", device])
      #expect(outcome.code == 0, "\(outcome.messages)")
      #expect(try read(out).shape == [8, 10])
      for (a, b) in zip(try read(out).floats(), try expected("logits")) { #expect(abs(a - b) < 1e-4) }
    }
  }

  @Test(arguments: deviceNames) func attacksAreThoseOfPyTorch(device: String) throws {
    try withTemporaryFolder { folder in
      for (name, more) in [("pgd_linf", ["--attack", "pgd"] + pgd), ("fgsm", ["--attack", "fgsm"])] {
        let out = "\(folder)/\(name).npy"
        let outcome = try temper(
          ["attack"] + network + images + labels + more + ["--out", out, "--device", device])
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try read(out).shape == [8, 1, 28, 28])
        let reference = try expected(name)
        let equal = zip(try read(out).floats(), reference).lazy.filter { abs($0 - $1) < 1e-5 }.count
        #expect(Double(equal) / Double(reference.count) >= 0.999, "\(name)")
      }
    }
  }

  @Test func tablesAreAnalysed() throws {
    try withTemporaryFolder { folder in
      let (a, b) = (folder + "/a.safetensors", folder + "/b.npy")
      #expect(try temper(["logits"] + network + images + labels + ["--out", a, "--device", "cpu"]).code == 0)
      let halved = try Safetensors(contentsOf: a).floats("logits").values.map { $0 / 2 }
      try NpyArray(shape: [8, 10], .float32(halved)).write(to: b)
      let analyze = ["analyze", "--standard", a, "--robust", b] + labels
      let report = try temper(analyze + ["--json"]).json()
      let clean = try #require(report["clean"] as? [String: Any])
      #expect(clean["sample_count"] as? Int == 8)
      let all = try #require(((clean["pairs"] as? [Any])?.first as? [String: Any])?["all"] as? [String: Any])
      let gap = try #require((all["measures"] as? [String: Any])?["logit_gap"] as? [String: Any])
      let means = ["standard", "robust"].compactMap { (gap[$0] as? [String: Any])?["mean"] as? Double }
      #expect(means.count == 2 && abs(means[0] / means[1] - 2) < 1e-5, "halved logits have half the gap")
      func scaled(_ name: String, _ factors: [Float]) throws -> [String] {
        let logits = try Safetensors(contentsOf: a).floats("logits").values
        return try factors.enumerated().map { index, factor in
          let path = "\(folder)/\(name)-\(index).npy"
          try NpyArray(shape: [8, 10], .float32(logits.map { $0 * factor })).write(to: path)
          return path
        }
      }
      let (standard, robust) = try (scaled("s", [1, 1.01, 0.99]), scaled("r", [0.5, 0.51, 0.48]))
      let seeds = ["analyze", "--standard"] + standard + ["--robust"] + robust + labels
      let claims = try #require(try temper(seeds + ["--json"]).json()["claims"] as? [[String: Any]])
      #expect(claims.first { $0["id"] as? String == "C1b" }?["verdict"] as? String == "consistent")
      try expectFailure(
        64, ["--robust", "--standard"], ["analyze", "--standard", a, a, "--robust", b] + labels)
      let out = folder + "/comparison"
      #expect(try temper(analyze + ["--out", out]).output.contains("|"))
      #expect(
        try files(out) == [
          "robust-0-logits.safetensors", "standard-0-logits.safetensors", "study.json", "study.md",
        ])
    }
  }

  #if os(Linux)
    /// Two tables of 160 MB in 150 MB of memory, of which every figure but the named ones is of all samples.
    @Test func tablesLargerThanTheMemoryAreAnalysed() throws {
      try withTemporaryFolder { folder in
        let (count, classes) = (400_000, 100)
        for (name, factor) in [("a", Float(2)), ("b", 1)] {
          try NpyArray.write(shape: [count, classes], to: "\(folder)/\(name).npy") { append in
            for start in stride(from: 0, to: count, by: 1000) {
              // The gap of row r is factor (1 + r mod 7).
              try append(
                (start..<start + 1000).flatMap { row in
                  (0..<classes).map { $0 == row % classes ? factor * Float(1 + row % 7) : 0 }
                })
            }
          }
        }
        let out = folder + "/out"
        let networks = ["--standard", folder + "/a.npy", "--robust", folder + "/b.npy"]
        let arguments = networks + ["--most-samples", "1000", "--json", "--out"]
        let outcome = try temper(["analyze"] + arguments + [out], shell: "ulimit -d 150000;")
        #expect(outcome.code == 0, "\(outcome.messages)")
        let study = try #require(outcome.json()["clean"] as? [String: Any])
        #expect(study["sample_count"] as? Int == count)
        #expect((study["thinned"] as? [String: Any])?["sample_count"] as? Int == 1000)
        let effects = try #require((study["effects"] as? [String: Any])?["all"] as? [String: Any])
        let gap = try #require(effects["logit_gap"] as? [String: Any])
        let mean = (0..<count).reduce(0) { $0 + 1 + $1 % 7 }
        #expect(abs(try #require(gap["robust_mean"] as? Double) - Double(mean) / Double(count)) < 1e-9)
        let kept = try Safetensors(contentsOf: out + "/standard-0-logits.safetensors")
        #expect(try kept.floats("logits").shape == [1000, classes])
        let page = folder + "/page.md"
        let report = try temper(["report"] + arguments + [page], shell: "ulimit -d 150000;")
        #expect(report.output == outcome.output, "\(report.messages)")
        for text in [out + "/study.md", page] {
          #expect(try String(contentsOfFile: text, encoding: .utf8).contains("every 400th sample"))
        }
      }
    }
  #endif

  /// What tables do not tell is absent, and said on standard error; so are options without an effect.
  @Test func tablesSayWhatIsNotMeasured() throws {
    try withTemporaryFolder { folder in
      func saved(_ name: String, _ factor: Float) throws -> String {
        let path = "\(folder)/\(name).npy"
        try NpyArray(shape: [6, 2], .float32((0..<12).map { factor * Float($0 * 5 % 7) })).write(to: path)
        return path
      }
      let (a, b) = try (saved("a", 2), saved("b", 1))
      let networks = ["--standard", a, "--robust", b]
      let plain = try temper(["analyze"] + networks + ["--json"])
      let results = try plain.json()
      for key in ["attacked", "dose"] { #expect(results[key] == nil) }
      for key in ["standard_theory", "robust_theory"] { #expect((results[key] as? [Any])?.isEmpty == true) }
      #expect(
        plain.messages.contains("note: \(a) is a table of logits") && !plain.messages.contains("effect"))
      let more = ["--device", "cpu", "--steps", "3", "--limit", "2"]
      let warned = try temper(["analyze"] + networks + ["--json"] + more)
      #expect(warned.output == plain.output)
      #expect(warned.messages.contains("warning: --steps, --limit, --device have no effect"))
      let page = folder + "/page.html"
      let report = try temper(["report"] + networks + ["--json", "--out", page])
      #expect(report.output == plain.output, "\(report.messages)")
      let outline = try Outline(String(decoding: try InputFile.read(page), as: UTF8.self))
      #expect(outline.elements.allSatisfy { $0.attributes["class"] != "gallery" })
      try expectFailure(64, ["--dose", a, "radius"], ["analyze"] + networks + ["--dose", a])
    }
  }

  /// A weights file is measured as a run is; beside a table only its clean logits are.
  @Test func weightsFilesAreRuns() throws {
    try withTemporaryFolder { folder in
      try writeDataset(to: folder)
      for (name, seed) in [("s", "1"), ("r", "2")] {
        #expect(try temper(training(folder, "\(folder)/\(name)", ["--seed", seed])).code == 0)
      }
      let data = ["--data-dir", folder, "--device", "cpu"]
      let run = ["analyze", "--standard", folder + "/s/best.safetensors", "--robust"]
      let attacked = ["--attacked-limit", "20", "--steps", "2", "--json"]
      let both = try temper(run + [folder + "/r/best.safetensors"] + data + attacked)
      #expect(both.code == 0, "\(both.messages)")
      #expect(try both.json()["attacked"] != nil)
      let table = folder + "/t.safetensors"
      #expect(try temper(["logits", folder + "/r", "--out", table] + data).code == 0)
      let mixed = try temper(run + [table] + data + attacked)
      #expect(mixed.code == 0, "\(mixed.messages)")
      #expect(try mixed.json()["attacked"] == nil)
      #expect(mixed.messages.contains("--steps, --attacked-limit have no effect: \(table) is a table"))
      #expect(!mixed.messages.contains("--device"))
    }
  }

  @Test func wrongArraysAreRefused() throws {
    try withTemporaryFolder { folder in
      let out = ["--out", folder + "/out.npy", "--device", "cpu"]
      func saved(_ name: String, _ shape: [Int], _ elements: NpyArray.Elements) throws -> String {
        try NpyArray(shape: shape, elements).write(to: "\(folder)/\(name).npy")
        return "\(folder)/\(name).npy"
      }
      func pixels(_ change: Float) -> [Float] { (0..<784).map { $0 == 5 ? change : 0.5 } }
      let good = try saved("good", [1, 1, 28, 28], .float32(pixels(0)))
      let cases: [(String, [String])] = [
        (try saved("nan", [1, 1, 28, 28], .float32(pixels(.nan))), ["pixel 5", "NaN"]),
        (try saved("bytes", [1, 1, 28, 28], .float32(pixels(255))), ["pixel 5", "255"]),
        (try saved("normalised", [1, 1, 28, 28], .float32(pixels(-0.5))), ["pixel 5", "normalisation"]),
        (try saved("integers", [1, 1, 28, 28], .uint8([UInt8](repeating: 1, count: 784))), ["integers"]),
        (try saved("flat", [784], .float32(pixels(0))), ["shape", "(N, C, H, W)"]),
        (try saved("channels", [1, 3, 16, 16], .float32([Float](repeating: 0, count: 768))), ["3"]),
        (try saved("none", [0, 1, 28, 28], .float32([])), ["no images"]),
      ]
      for (file, words) in cases {
        try expectFailure(65, [file] + words, ["logits"] + network + ["--images", file] + out)
      }
      try expectFailure(66, ["none.npz"], ["logits"] + network + ["--images", folder + "/none.npz"] + out)
      let attack = ["attack"] + network + ["--images", good] + out + ["--labels"]
      let far = try saved("far", [1], .int64([10]))
      try expectFailure(65, [far, "label 0", "10", "0 to 9"], attack + [far])
      let many = try saved("many", [2], .int64([1, 2]))
      try expectFailure(65, [many, "2 labels for 1"], attack + [many])
      try expectFailure(65, [good, "integers"], attack + [good])
      #expect(try !files(folder).contains("out.npy"))
    }
  }

  /// Files cut short, prolonged, or of another format.
  @Test func damagedFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let tail = ["--out", folder + "/out.npy", "--device", "cpu"]
      func damaged(_ name: String, _ bytes: [UInt8]) throws -> String {
        try AtomicFile.write(bytes, to: "\(folder)/\(name)")
        return "\(folder)/\(name)"
      }
      let weights = try InputFile.read(fixture("small_cnn.safetensors"))
      let array = try InputFile.read(fixture("small_cnn_images.npy"))
      for (name, bytes) in [
        ("cut.safetensors", Array(weights.dropLast(100))), ("long.safetensors", weights + [0, 0]),
        ("swapped.safetensors", array), ("empty.safetensors", []),
        ("page.safetensors", Array("<!DOCTYPE html><html>Not found</html>".utf8)),
      ] {
        let file = try damaged(name, bytes)
        try expectFailure(
          65, [file], ["logits", "--weights", file, "--model", "small-cnn"] + images + tail)
      }
      for (name, bytes) in [
        ("cut.npy", Array(array.dropLast(10))), ("long.npy", array + [1]), ("swapped.npy", weights),
        ("empty.npy", []),
      ] {
        let file = try damaged(name, bytes)
        try expectFailure(65, [file], ["logits"] + network + ["--images", file] + tail)
      }
      let mlp = fixture("mlp.safetensors")
      try expectFailure(
        65, [mlp, "features.0.weight", "--model"],
        ["logits", "--weights", mlp, "--model", "small-cnn"] + images + tail)
      try expectFailure(
        64, ["vgg", "small-cnn"], ["logits", "--weights", mlp, "--model", "vgg"] + images + tail)
      try expectFailure(65, [mlp, "--model"], ["logits", "--weights", mlp] + images + tail)
      try expectFailure(
        74, [folder + "/none/out.npy"],
        ["logits"] + network + images + ["--out", folder + "/none/out.npy", "--device", "cpu"])
      #expect(try !files(folder).contains("out.npy"))
    }
  }

  @Test func wrongTablesAreRefused() throws {
    try withTemporaryFolder { folder in
      func saved(_ name: String, _ shape: [Int], _ values: [Float]) throws -> String {
        try NpyArray(shape: shape, .float32(values)).write(to: "\(folder)/\(name).npy")
        return "\(folder)/\(name).npy"
      }
      let a = try saved("a", [2, 3], [1, 2, 3, 4, 5, 6])
      let fewer = try saved("fewer", [1, 3], [1, 2, 3])
      let infinite = try saved("infinite", [2, 3], [1, 2, .infinity, 4, 5, 6])
      for wrong in [fewer, infinite] {
        try expectFailure(65, [wrong], ["analyze", "--standard", a, "--robust", wrong])
      }
      // The file at fault is named, among several tables and the labels' own file.
      let b = try saved("b", [2, 3], [6, 5, 4, 3, 2, 1])
      let c = try saved("c", [2, 3], [1, 5, 4, 2, 2, 1])
      try expectFailure(65, [a, fewer], ["analyze", "--standard", a, b, "--robust", c, fewer])
      try expectFailure(
        64, ["--robust", "of \(c) and \(c) are equal"], ["analyze", "--standard", a, b, "--robust", c, c])
      for (format, labels) in [("npy", [0, 3]), ("safetensors", [-1, 0]), ("npy", [0, 1, 2])] {
        let table = "\(folder)/t.\(format)"
        try LogitTable(contentsOf: a).write(to: table)
        let path = "\(folder)/y-\(labels.count)-\(labels[0]).npy"
        try NpyArray(shape: [labels.count], .int32(labels.map { Int32($0) })).write(to: path)
        try expectFailure(
          65, ["\(path): labels"], ["analyze", "--standard", table, "--robust", b, "--labels", path])
      }
      let probabilities = try saved("p", [2, 2], [0.25, 0.75, 0.5, 0.5])
      let outcome = try temper(["analyze", "--standard", probabilities, "--robust", probabilities])
      #expect(outcome.messages.contains("probabilities") && outcome.messages.contains("no labels"))
    }
  }
}

/// The CPU, and OpenCL where there is a device.
let deviceNames: [String] = {
  let hasOpenCL = devicesUnderTest.contains { if case .openCL = $0 { true } else { false } }
  return ["cpu"] + (hasOpenCL ? ["opencl"] : [])
}()
