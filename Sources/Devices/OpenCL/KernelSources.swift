import FileFormats
import Kernels

/// The embedded OpenCL C sources: one program per file of the Kernels folder that no other includes, each with `common.cl`
/// in front and with the files that its lines `#include "NAME.cl"` ask for.
package enum KernelSources {
  /// Program texts by family (the file's name without `.cl`).
  package static let families: [String: String] = {
    var texts: [String: String] = [:]
    for index in 0..<temper_kernel_source_count() {
      let file = String(cString: temper_kernel_source_name(index))
      let name = file.hasSuffix(".cl") ? String(file.dropLast(3)) : file
      texts[name] = String(cString: temper_kernel_source_text(index))
    }
    let common = texts.removeValue(forKey: "common") ?? ""
    let parts = Set(texts.values.flatMap { $0.split(separator: "\n").compactMap { included($0) } })
    return texts.filter { !parts.contains($0.key) }.reduce(into: [:]) { families, file in
      families[file.key] = common + withIncludes(file.key, from: texts)
    }
  }()

  /// The SHA-256 of every program text, in the order of the families' names.
  package static let digest: String = SHA256.hex(
    of: families.sorted { $0.key < $1.key }.flatMap { Array(($0.key + $0.value).utf8) })

  /// The file that a line includes, without `.cl`.
  private static func included(_ line: Substring) -> String? {
    let prefix = "#include \"", suffix = ".cl\""
    guard line.hasPrefix(prefix), line.hasSuffix(suffix) else { return nil }
    return String(line.dropFirst(prefix.count).dropLast(suffix.count))
  }

  /// A file with what it includes; compilers name the file and line of an error.
  private static func withIncludes(_ name: String, from texts: [String: String]) -> String {
    guard let text = texts[name] else {
      preconditionFailure("Kernels has no \(name).cl, which a file includes")
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let whole = lines.enumerated().map { number, line in
      included(line).map { "\(withIncludes($0, from: texts))\n#line \(number + 2) \"\(name).cl\"" }
        ?? String(line)
    }
    return "\n#line 1 \"\(name).cl\"\n" + whole.joined(separator: "\n")
  }

  /// The families that a device with kernels of this shape may launch: those whose names end in neither shape, and
  /// those whose names end in its own. In alphabetical order.
  package static func families(for shape: OpenCL.KernelShape) -> [String] {
    let foreign = OpenCL.KernelShape.allCases.filter { $0 != shape }.map { "_" + $0.rawValue }
    return families.keys.filter { family in !foreign.contains { family.hasSuffix($0) } }.sorted()
  }

  /// The family that holds each kernel; kernels are declared as `kernel void NAME(` at the start of a line.
  package static let familyOfKernel: [String: String] = {
    var result: [String: String] = [:]
    for (family, text) in families {
      for line in text.split(separator: "\n") where line.hasPrefix("kernel void ") {
        let name = line.dropFirst("kernel void ".count).prefix { $0 != "(" }
        result[String(name)] = family
      }
    }
    return result
  }()
}
