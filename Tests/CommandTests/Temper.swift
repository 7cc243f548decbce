import FileFormats
import Foundation
import TestSupport
import Testing

/// What a run of the command line left behind.
struct Outcome {
  let code: Int32
  let output: String
  let messages: String

  /// The output as a JSON object.
  func json() throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
    return try #require(value as? [String: Any])
  }
}

/// The command line that was built with these tests, which lies beside them.
private let binary: String = {
  let tests = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
  return tests + "/temper"
}()

/// Runs the command line.
/// - Parameters:
///   - text: a text on standard error after which Ctrl-C is sent.
///   - shell: shell commands that come before it, such as a limit.
func temper(
  _ arguments: [String], interruptAfter text: String? = nil, shell: String? = nil,
  environment: [String: String] = [:]
) throws -> Outcome {
  try #require(FileManager.default.isExecutableFile(atPath: binary), "\(binary) is not built")
  return try withTemporaryFolder { folder in
    let process = Process()
    process.executableURL = URL(fileURLWithPath: shell == nil ? binary : "/bin/sh")
    process.arguments = (shell.map { ["-c", $0 + " exec \"$0\" \"$@\"", binary] } ?? []) + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // A file, since a pipe that nobody reads would stop the command.
    try AtomicFile.write("", to: folder + "/output")
    process.standardOutput = FileHandle(forWritingAtPath: folder + "/output")
    let messages = Pipe()
    process.standardError = messages
    try process.run()
    var said = Data()
    var isInterrupted = false
    while case let part = messages.fileHandleForReading.availableData, !part.isEmpty {
      said += part
      if let text, !isInterrupted, String(decoding: said, as: UTF8.self).contains(text) {
        process.interrupt()
        isInterrupted = true
      }
    }
    process.waitUntilExit()
    return Outcome(
      code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try String(contentsOfFile: folder + "/output", encoding: .utf8),
      messages: String(decoding: said, as: UTF8.self))
  }
}

/// Expects a command to fail with an exit code and a message that has every one of `words`.
func expectFailure(
  _ code: Int32, _ words: [String], _ arguments: [String], shell: String? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let outcome = try temper(arguments, shell: shell)
  let command = arguments.joined(separator: " ")
  #expect(outcome.code == code, "\(command): \(outcome.messages)", sourceLocation: sourceLocation)
  #expect(outcome.output.isEmpty, "\(command)", sourceLocation: sourceLocation)
  for word in words {
    #expect(outcome.messages.contains(word), "\(command): \(word)", sourceLocation: sourceLocation)
  }
}

/// A data set of IDX files with synthetic images of ten classes.
func writeDataset(to folder: String, training: Int = 400, test: Int = 60) throws {
  for (part, count, seed) in [("train", training, UInt64(1)), ("t10k", test, 2)] {
    var random = Seeded(seed)
    var pixels: [UInt8] = []
    for image in 0..<count {
      for p in 0..<784 {
        pixels.append(
          (p * (image % 10 + 1) / 20 % 2 == 0 ? 30 : 170) + UInt8.random(in: 0..<60, using: &random))
      }
    }
    let extents = [UInt32(count), 28, 28]
    try AtomicFile.write(idx(0x803, extents) + pixels, to: "\(folder)/\(part)-images-idx3-ubyte")
    let labels = (0..<count).map { UInt8($0 % 10) }
    try AtomicFile.write(idx(0x801, [UInt32(count)]) + labels, to: "\(folder)/\(part)-labels-idx1-ubyte")
  }
}

/// The head of an IDX file.
func idx(_ magic: UInt32, _ extents: [UInt32]) -> [UInt8] {
  ([magic] + extents).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
}

/// The arguments of a short training run on such a data set.
func training(_ data: String, _ out: String, _ more: [String] = []) -> [String] {
  [
    "train", "--data-dir", data, "--model", "mlp", "--epochs", "2", "--lr", "0.05", "--device", "cpu",
    "--out", out,
  ] + more
}

/// The tensors of a safetensors file by name.
func weights(_ path: String) throws -> [String: [Float]] {
  let file = try Safetensors(contentsOf: path)
  return try file.names.reduce(into: [:]) { $0[$1] = try file.floats($1).values }
}

/// The files of a folder.
func files(_ folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}
