import Kernels

/// The embedded OpenCL C sources: one program per file of the Kernels folder, each with `common.cl` in front.
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
    return texts.mapValues { common + "\n#line 1\n" + $0 }
  }()

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
