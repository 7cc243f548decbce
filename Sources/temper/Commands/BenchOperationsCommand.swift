import ArgumentParser
import Devices
import Foundation
import Tensors

/// `temper bench operations`
struct BenchOperationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operations",
    abstract: "Measure single operations: GFLOP/s and GB/s, and shares of what the machine can do.",
    discussion: """
      Convolutions count the multiplications and additions of the direct sum; Winograd's algorithm makes fewer, so that
      it can exceed 100 % of the peak. On the CPU the peak is that of fused multiply-adds on registers, and the memory
      bandwidth that of a large copy, both measured first on all threads.

      EXAMPLES
        temper bench operations --device cpu
        temper bench operations --device cpu --filter conv --json
        temper bench operations --device opencl --filter matmul --filter relu --products 1024 4096
        TEMPER_CONVOLUTION=direct temper bench operations --device cpu --filter conv --accuracy --seconds 0
      """)

  @Option(help: "Only operations whose name contains this; may be repeated.") var filter: [String] = []
  @Option(parsing: .upToNextOption, help: "Extents of the square matrix products.")
  var products = [512, 1024, 2048]
  @Option(parsing: .unconditional, help: "Seconds to measure each operation.") var seconds = 0.5
  @Flag(help: "Also measure the largest error of convolutions against sums in float64.") var accuracy = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var devices: DeviceOptions

  func validate() throws {
    if !(seconds >= 0) { throw ValidationError("--seconds is at least 0.") }
    if products.contains(where: { $0 < 1 || $0 > 1 << 15 }) {
      throw ValidationError("--products are between 1 and \(1 << 15).")
    }
  }

  private var chosen: [OperationBenchmark] {
    OperationBenchmark.all(products: products).filter { benchmark in
      filter.isEmpty || filter.contains(where: benchmark.name.contains)
    }
  }

  func run() throws {
    if chosen.isEmpty {
      Console.note(
        "warning: no operation's name contains \(filter.map { "\"\($0)\"" }.joined(separator: " or ")).")
    }
    let device = try devices.open()
    let limits = try MachineLimits(device, seconds: seconds)
    var rows: [Row] = []
    for benchmark in chosen {
      let work = try benchmark.prepare(device)
      func run(_ repetitions: Int) throws {
        for _ in 0..<repetitions { try work() }
        try device.synchronize()
      }
      // As in training, operations are queued one after the other; each sample is one wait, after about 5 ms of them.
      let single = try Throughput(seconds: 0, warmUp: 2) { try run(1) }.rate(0.5)
      let repetitions = max(1, Int(single * 0.005))
      let measured = try Throughput(seconds: seconds, warmUp: 0) { try run(repetitions) }
      let error =
        try accuracy
        ? benchmark.convolution.map {
          try ConvolutionError($0.geometry).largest($0.direction, on: device)
        } : nil
      let row = Row(benchmark, measured, repetitions: repetitions, limits, error: error)
      rows.append(row)
      if !json { Console.result(row.text) }
    }
    if json { try Console.json(Report(device: device.description, limits: limits, operations: rows)) }
  }

  private struct Report: Encodable {
    let device: String
    let limits: MachineLimits
    let operations: [Row]
  }

  private struct Row: Encodable {
    let name: String
    let milliseconds: Double
    let gflops: Double?
    let gigabytesPerSecond: Double?
    let shareOfPeak: Double?
    let shareOfBandwidth: Double?
    let samples: Int
    let relativeError: Double?

    enum CodingKeys: String, CodingKey {
      case name, milliseconds, gflops, samples
      case relativeError = "relative_error"
      case gigabytesPerSecond = "gigabytes_per_second"
      case shareOfPeak = "share_of_peak"
      case shareOfBandwidth = "share_of_bandwidth"
    }

    init(
      _ benchmark: OperationBenchmark, _ measured: Throughput, repetitions: Int, _ limits: MachineLimits,
      error: Double?
    ) {
      name = benchmark.name
      let rate = measured.rate(0.5) * Double(repetitions)
      milliseconds = 1000 / rate
      gflops = benchmark.flops.map { Double($0) * rate / 1e9 }
      gigabytesPerSecond = benchmark.bytes.map { Double($0) * rate / 1e9 }
      shareOfPeak = gflops.flatMap { value in limits.gflops.map { value / $0 } }
      shareOfBandwidth = gigabytesPerSecond.map { $0 / limits.gigabytesPerSecond }
      samples = measured.samples
      relativeError = error
    }

    var text: String {
      var line = name.padding(toLength: 46, withPad: " ", startingAt: 0)
      line += String(format: "%10.3f ms", milliseconds)
      if let gflops { line += String(format: "%10.1f GFLOP/s", gflops) }
      if let gigabytesPerSecond { line += String(format: "%10.1f GB/s", gigabytesPerSecond) }
      if let shareOfPeak { line += String(format: "  %4.0f %% of peak", shareOfPeak * 100) }
      if let shareOfBandwidth { line += String(format: "  %4.0f %% of bandwidth", shareOfBandwidth * 100) }
      if let relativeError { line += String(format: "  error %.1e", relativeError) }
      return line
    }
  }
}

/// What a device can do at most, measured: additions and multiplications (CPU only), and bytes copied.
private struct MachineLimits: Encodable {
  let gflops: Double?
  let gigabytesPerSecond: Double

  enum CodingKeys: String, CodingKey {
    case gflops
    case gigabytesPerSecond = "gigabytes_per_second"
  }

  init(_ device: Device, seconds: Double) throws {
    // GPUs copy more than their caches hold, and several times for one wait.
    let (count, repetitions) = device.isGPU ? (1 << 25, 16) : (1 << 24, 1)
    let x = try Tensor(repeating: 1, shape: [count], on: device)
    let copy = try Throughput(seconds: seconds, warmUp: 1) {
      for _ in 0..<repetitions { _ = try scale(x, by: 2) }
      try device.synchronize()
    }
    gigabytesPerSecond = Double(count * repetitions) * 8 * copy.rate(0.9) / 1e9
    guard case .cpu(let cpu) = device else {
      gflops = nil
      return
    }
    gflops =
      try Throughput(seconds: seconds, warmUp: 1) { cpu.multiplyAddOnRegisters() }.rate(0.9)
      * Double(cpu.registerOperations) / 1e9
  }
}
