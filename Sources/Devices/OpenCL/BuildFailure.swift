import COpenCL
import FileFormats
import Foundation

/// A program that a driver refused to compile.
struct BuildFailure {
  let file: String
  let options: String
  let status: cl_int
  let log: String
  let info: OpenCLDeviceInfo

  init(file: String, options: String, status: cl_int, log: String, _ info: OpenCLDeviceInfo) {
    (self.file, self.options, self.status, self.log, self.info) = (file, options, status, log, info)
  }

  /// The error to throw. The driver's whole log goes to a file in the cache's folder, or else in that for temporary
  /// files; the message names it and has the log's first line that speaks of an error.
  func error(_ cache: ProgramCache?) -> TemperError {
    let lines = log.split(separator: "\n").map(String.init)
    let first = lines.first { $0.lowercased().contains("error") } ?? lines.first ?? "its log is empty"
    let saved = save(cache).map { " The whole log is in \($0)." } ?? ""
    return TemperError(
      .deviceUnavailable, field: "\(file) on \(info.name)",
      "did not compile with \(options) (\(OpenCL.name(of: status))): \(first).\(saved)",
      remedy: "Update the driver (here \(info.driver)), or choose another --device.")
  }

  private func save(_ cache: ProgramCache?) -> String? {
    let name = "build-\(file.prefix { $0.isLetter || $0.isNumber || $0 == "_" }).log"
    let head = "\(file), \(options)\n\(info.identity.joined(separator: ", "))\n\n"
    for folder in [cache?.folder, FileManager.default.temporaryDirectory.path].compactMap({ $0 }) {
      try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      if (try? AtomicFile.write(head + log + "\n", to: folder + "/" + name)) != nil {
        return folder + "/" + name
      }
    }
    return nil
  }
}
