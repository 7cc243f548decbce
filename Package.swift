// swift-tools-version: 6.1
import PackageDescription

// SwiftPM refuses unsafe compiler flags in a package that another one depends on by version. Such a copy lies
// in a folder named `checkouts`: there the AVX2 and AVX-512 builds of the micro-kernels are left out and the
// CPU path runs its baseline kernels. See the README, "Using Temper as a library".
let isVersionedDependency = Context.packageDirectory.split(separator: "/").contains("checkouts")
#if arch(x86_64)
  let hasWideKernels = !isVersionedDependency
#else
  let hasWideKernels = false
#endif

/// Flags of the micro-kernel targets; without optimisation they run a thousand times slower. Cross-module
/// optimisation is off so that no code compiled for a newer instruction set is shared with the baseline.
func kernelSettings(march: String? = nil, define: String? = nil) -> [SwiftSetting] {
  guard !isVersionedDependency else { return [] }
  let march = march.map { ["-Xcc", "-march=\($0)"] } ?? []
  return [.unsafeFlags(["-Ounchecked", "-Xfrontend", "-disable-cmo"] + march)]
    + (define.map { [.define($0)] } ?? [])
}

let wideKernels: [Target] =
  hasWideKernels
  ? [
    .target(
      name: "KernelsAVX2", dependencies: ["CSIMD"], path: "Sources/SIMDKernels/AVX2",
      swiftSettings: kernelSettings(march: "x86-64-v3", define: "VECTOR256")),
    .target(
      name: "KernelsAVX512", dependencies: ["CSIMD"], path: "Sources/SIMDKernels/AVX512",
      swiftSettings: kernelSettings(march: "x86-64-v4", define: "VECTOR512")),
  ] : []

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "Temper",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "temper", targets: ["temper"]),
    .library(
      name: "Temper",
      targets: [
        "FileFormats", "Randomness", "Statistics", "Devices", "Tensors", "Networks", "Datasets", "Attacks",
        "Training", "Logits", "Distillation", "Analysis", "Reports", "Theory",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Leaves: they import nothing of ours, but for Statistics, which draws random numbers.
    .systemLibrary(
      name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSIMD", path: "Sources/CSIMD"),
    .target(name: "COpenCL"),
    .target(name: "CThreads"),
    .target(
      name: "Kernels", path: "Kernels", sources: ["sources.c"], publicHeadersPath: "include"),
    .target(
      name: "KernelsBaseline", dependencies: ["CSIMD"], path: "Sources/SIMDKernels/Baseline",
      swiftSettings: kernelSettings()),
    .target(name: "FileFormats", dependencies: ["CZlib"]),
    .target(name: "Randomness"),
    .target(name: "Statistics", dependencies: ["Randomness"]),
    // The stack: each imports only what stands above it here.
    .target(
      name: "Devices",
      dependencies: ["COpenCL", "CThreads", "Kernels", "KernelsBaseline", "FileFormats"]
        + wideKernels.map { .target(name: $0.name) },
      swiftSettings: hasWideKernels ? [.define("WIDE_KERNELS")] : []),
    .target(name: "Tensors", dependencies: ["Devices", "Randomness"]),
    .target(name: "Networks", dependencies: ["Tensors", "FileFormats"]),
    .target(name: "Datasets", dependencies: ["Tensors", "FileFormats", "Randomness", "CZlib"]),
    .target(name: "Attacks", dependencies: ["Networks", "Datasets"]),
    .target(name: "Training", dependencies: ["Attacks", yaml]),
    .target(name: "Logits", dependencies: ["FileFormats", "Randomness", "Statistics"]),
    .target(name: "Distillation", dependencies: ["Training", "Logits"]),
    .target(name: "Analysis", dependencies: ["Distillation", "Theory"]),
    .target(name: "Reports", dependencies: ["Logits", "Statistics", "FileFormats", "CZlib"]),
    .target(name: "Theory", dependencies: ["Randomness"]),
    .executableTarget(
      name: "temper", dependencies: ["Analysis", "Reports", "Theory", arguments, yaml]),
    // Tests: one target per module.
    .target(name: "TestSupport", dependencies: ["Tensors", "FileFormats"], path: "Tests/TestSupport"),
    .testTarget(name: "FileFormatsTests", dependencies: ["FileFormats", "Randomness", "TestSupport"]),
    .testTarget(name: "RandomnessTests", dependencies: ["Randomness"]),
    .testTarget(name: "StatisticsTests", dependencies: ["Statistics", "TestSupport"]),
    .testTarget(
      name: "LogitsTests", dependencies: ["Logits", "Statistics", "FileFormats", "Randomness", "TestSupport"]),
    .testTarget(name: "TheoryTests", dependencies: ["Theory", "Randomness", "TestSupport"]),
    .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "CZlib", "TestSupport"]),
    .testTarget(name: "DevicesTests", dependencies: ["Devices", "TestSupport"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    .testTarget(name: "NetworksTests", dependencies: ["Networks", "TestSupport"]),
    .testTarget(name: "AttacksTests", dependencies: ["Attacks", "TestSupport"]),
    .testTarget(name: "TrainingTests", dependencies: ["Training", "TestSupport"]),
    .testTarget(name: "DistillationTests", dependencies: ["Distillation", "TestSupport"]),
    .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "Theory", "TestSupport"]),
    .testTarget(name: "ReportsTests", dependencies: ["Reports", "CZlib", "TestSupport"]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["TestSupport", "FileFormats", "Devices", "Logits", "Reports", "temper"]),
  ] + wideKernels
)
