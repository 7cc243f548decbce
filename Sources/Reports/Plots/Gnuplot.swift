import FileFormats
import Foundation

/// The program gnuplot, which draws the plots.
public struct Gnuplot: Sendable {
  /// The gnuplot on the PATH; nil if there is none.
  public static let installed = Gnuplot(searchPath: ProcessInfo.processInfo.environment["PATH"] ?? "")

  let executable: String

  /// The first `gnuplot` in the folders of `searchPath`, which are separated by colons.
  package init?(searchPath: String) {
    let candidates = searchPath.split(separator: ":").map { "\($0)/gnuplot" }
    guard let found = candidates.first(where: FileManager.default.isExecutableFile) else { return nil }
    executable = found
  }

  /// Runs a script that draws one SVG to standard output.
  /// - Parameters:
  ///   - script: Commands and data.
  ///   - seconds: The time after which gnuplot is stopped.
  /// - Returns: The text of the SVG file.
  /// - Throws: ``TemperError`` with what gnuplot wrote to standard error, or that it took too long.
  package func svg(_ script: String, seconds: Int = 60) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("temper-plot-\(UUID())")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    } catch {
      throw TemperError(
        .io, file: folder.path, "cannot be created", remedy: "Set TMPDIR to a folder that can be written.")
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String) -> String { folder.appendingPathComponent(name).path }
    try AtomicFile.write(script, to: file("plot.gp"))
    for name in ["plot.svg", "messages"] { try AtomicFile.write("", to: file(name)) }
    let status = try run(
      file("plot.gp"), output: file("plot.svg"), messages: file("messages"), seconds: seconds)
    let messages = String(decoding: try InputFile.read(file("messages")), as: UTF8.self)
    guard let status else { throw failure("took more than \(seconds) s and was stopped") }
    let svg = String(decoding: try InputFile.read(file("plot.svg")), as: UTF8.self)
    guard status == 0, svg.contains("</svg>") else {
      let reason = messages.split(whereSeparator: \.isNewline).suffix(3).joined(separator: " ")
      throw failure("failed: \(reason.isEmpty ? "exit code \(status)" : reason)")
    }
    return svg
  }

  /// The exit code, or nil when the time was up.
  private func run(_ script: String, output: String, messages: String, seconds: Int) throws -> Int32? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = [script]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: messages)
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    do { try process.run() } catch { throw failure("cannot be run: \(error.localizedDescription)") }
    let isInTime = ended.wait(timeout: .now() + .seconds(seconds)) == .success
    if !isInTime { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return isInTime ? process.terminationStatus : nil
  }

  private func failure(_ message: String) -> TemperError {
    TemperError(.io, file: executable, message, remedy: "Check the installation of gnuplot-nox.")
  }
}
