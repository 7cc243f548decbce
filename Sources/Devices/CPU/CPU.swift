import CThreads
import FileFormats
import Foundation

/// The processor as a device: memory from a pool, a persistent pool of threads, and micro-kernels for one
/// instruction set. Work runs at once, so that its queue is always empty.
public final class CPU: @unchecked Sendable {
  /// The CPU with every thread of this process and the newest instruction set it has, unless the environment
  /// variables `TEMPER_THREADS` (a count) or `TEMPER_CPU` (`baseline`, `avx2`, `avx512`) say less.
  public static let shared = CPU(environment: ProcessInfo.processInfo.environment)

  /// The instruction set in use.
  public let instructionSet: InstructionSet
  /// What products and convolutions round their operands to.
  public let precision: Precision
  package let kernels: MicroKernels
  package let memory = BufferPool<HostBlock>()
  /// Set while times are taken.
  package internal(set) var profile: Profile?
  private let pool: OpaquePointer

  /// Makes a CPU device.
  /// - Parameters:
  ///   - threads: how many threads work, the caller included; by default all that this process may use.
  ///   - instructionSet: by default the newest one available.
  ///   - precision: of the operands of products and convolutions.
  /// - Throws: `.usage` for a thread count below 1 or tf32, `.deviceUnavailable` for an instruction set that this
  ///   processor or this build lacks.
  public init(
    threads: Int? = nil, instructionSet: InstructionSet? = nil, precision: Precision = .fp32
  ) throws {
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    guard (1...1024).contains(threads) else {
      throw TemperError(.usage, field: "threads", "is \(threads)", remedy: "Choose 1 to 1024 threads.")
    }
    guard precision != .tf32 else {
      throw TemperError(
        .usage, field: "--precision tf32", "is not available on the CPU",
        remedy: "Choose --precision fp32 or bf16, or a GPU with tensor cores.")
    }
    let best = CPU.availableInstructionSets.last!
    let chosen = instructionSet ?? best
    guard chosen <= best else {
      throw TemperError(
        .deviceUnavailable, field: "TEMPER_CPU", "\(chosen.rawValue) is not available here",
        remedy: "Choose one of \(CPU.availableInstructionSets.map(\.rawValue).joined(separator: ", ")).")
    }
    guard let pool = temper_pool_create(Int32(threads)) else {
      throw TemperError(.deviceUnavailable, field: "threads", "could not be started")
    }
    self.instructionSet = chosen
    self.precision = precision
    self.kernels = MicroKernels(chosen)
    self.pool = pool
  }

  /// The environment's wishes; one that cannot be met is reported once on stderr and ignored.
  private convenience init(environment: [String: String]) {
    do {
      try self.init(
        threads: environment["TEMPER_THREADS"].map { Int($0) ?? 0 },
        instructionSet: environment["TEMPER_CPU"].map(CPU.parseInstructionSet))
    } catch {
      FileHandle.standardError.write(Data("temper: \(error) Using the default.\n".utf8))
      try! self.init()
    }
  }

  private static func parseInstructionSet(_ name: String) throws -> InstructionSet {
    guard let set = InstructionSet(rawValue: name) else {
      throw TemperError(
        .usage, field: "TEMPER_CPU", "is \"\(name)\"", remedy: "Choose baseline, avx2 or avx512.")
    }
    return set
  }

  deinit { temper_pool_destroy(pool) }

  /// The instruction sets that this processor and this build have, from the oldest to the newest.
  public static let availableInstructionSets: [InstructionSet] = {
    #if WIDE_KERNELS
      let level = temper_instruction_set()
      return [.baseline] + (level >= 2 ? [.avx2] : []) + (level >= 3 ? [.avx512] : [])
    #else
      return [.baseline]
    #endif
  }()

  /// Whether products multiply pairs of bfloat16 rather than floats that were rounded to it: with AVX512-BF16.
  package var multipliesPairs: Bool {
    precision == .bf16 && kernels.pairRows != nil && temper_has_bfloat16() != 0
  }

  /// Threads that work on one operation.
  public var threads: Int { Int(temper_pool_threads(pool)) }

  /// The processor's name as the operating system gives it.
  public static let name: String = {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = info.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "CPU"
  }()

  /// Runs `body` for each index in `0..<count`, on all threads, in any order. A body writes only what belongs
  /// to its index; then results do not depend on the number of threads.
  package func parallel(_ count: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var context = body
      withUnsafeMutablePointer(to: &context) { pointer in
        temper_pool_run(
          pool, Int64(count),
          { context, index in context.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(index)) },
          pointer)
      }
    }
  }

  private static let peakRepetitions = 2_000_000

  /// Additions and multiplications of one call of ``multiplyAddOnRegisters()``.
  package var registerOperations: Int { threads * kernels.peakOperations(Self.peakRepetitions) }

  /// Multiplies and adds on the registers of every thread, for the benchmarks' peak rate.
  package func multiplyAddOnRegisters() {
    parallel(threads) { _ in
      let result = kernels.peak(Self.peakRepetitions, 0.999)
      precondition(result.isFinite)
    }
  }

  /// Splits `0..<count` into ranges of at least `grain` elements and runs `body` for each.
  package func parallelRanges(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    guard count > 0 else { return }
    let parts = max(1, min(threads * 4, count / max(1, grain)))
    parallel(parts) { part in body(part * count / parts..<(part + 1) * count / parts) }
  }
}
