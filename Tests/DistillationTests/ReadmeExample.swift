import Attacks
import Datasets
import Devices
import Distillation
import Foundation
import Logits
import Networks
import Tensors
import TestSupport
import Testing

/// The README's library example, compiled; its lines are compared with the README's.
func readmeExample() throws {
  // example begins
  let device = try DeviceChoice("auto").device
  let (network, _) = try WeightsFile.read("runs/at/best.safetensors", on: device)
  let test = try DeviceDataset(DatasetSplit.load("fashion-mnist", seed: 0).test, on: device)
  let batch = try test.batch(0..<250)

  let threat = ThreatModel(.linf, try Epsilon("0.1"))
  let attack = try PGD(threat, stepSize: 0.025, steps: 20)
  let attacked = try attack.perturb(batch, against: network)
  let clean = try crossEntropy(network(batch.images), batch.labels)
  let robust = try crossEntropy(network(attacked), batch.labels)
  print("loss", try clean.scalar(), "under attack", try robust.scalar())

  let table = try LogitTable(of: network, over: test)
  print(table.summary().text)
  try table.manipulated(by: .reverseNonMax).write(to: "reversed.safetensors")
  // example ends
}

@Test func readmeHoldsTheCompiledExample() throws {
  let source = try String(contentsOfFile: #filePath, encoding: .utf8).split(separator: "\n")
  let begin = try #require(source.firstIndex { $0.hasSuffix("// example begins") })
  let end = try #require(source.firstIndex { $0.hasSuffix("// example ends") })
  let readme = try String(contentsOfFile: repositoryRoot + "/README.md", encoding: .utf8)
  for line in source[begin + 1..<end] {
    let line = line.trimmingCharacters(in: .whitespaces)
    #expect(readme.contains(line), "README.md lacks: \(line)")
  }
}
