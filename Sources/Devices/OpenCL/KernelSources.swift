import Kernels

/// The embedded OpenCL C sources: one program per file of the Kernels folder, each with `common.cl` in front and
/// with the other files that its lines `#include "NAME.cl"` ask for.
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
    return texts.mapValues { common + "\n#line 1\n" + withIncludes($0, from: texts) }
  }()

  /// Every program text, in the order of the families' names.
  package static let all: [String] = families.sorted { $0.key < $1.key }.map(\.value)

  private static func withIncludes(_ text: String, from texts: [String: String]) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.enumerated().map { number, line in
      let prefix = "#include \"", suffix = ".cl\""
      guard line.hasPrefix(prefix), line.hasSuffix(suffix),
        let included = texts[String(line.dropFirst(prefix.count).dropLast(suffix.count))]
      else { return String(line) }
      return "#line 1\n\(withIncludes(included, from: texts))\n#line \(number + 2)"
    }.joined(separator: "\n")
  }

  /// The families that a device with kernels of this shape may launch: those whose names end in neither shape, and
  /// those whose names end in its own. In alphabetical order.
  package static func families(for shape: OpenCL.KernelShape) -> [String] {
    let kernelHolders = Set(familyOfKernel.values)
    let foreign = OpenCL.KernelShape.allCases.filter { $0 != shape }.map { "_" + $0.rawValue }
    return kernelHolders.filter { family in !foreign.contains { family.hasSuffix($0) } }.sorted()
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
