import COpenCL

/// Facts about one OpenCL device, as its driver reports them.
public struct OpenCLDeviceInfo: Sendable, Encodable, Equatable {
  /// The kinds of device that OpenCL knows.
  public enum Kind: String, Sendable, Encodable { case gpu, cpu, accelerator, other }

  /// Position among all OpenCL devices of this machine: the 1 of `--device opencl:1`.
  public let index: Int
  /// The device's name.
  public let name: String
  /// Its maker.
  public let vendor: String
  /// The OpenCL platform that offers it.
  public let platform: String
  /// OpenCL version that the device supports, such as "OpenCL 3.0 CUDA".
  public let version: String
  /// Version of the driver.
  public let driver: String
  /// What kind of device it is.
  public let kind: Kind
  /// Number of compute units.
  public let computeUnits: Int
  /// Megahertz.
  public let clockFrequency: Int
  /// Bytes of global memory.
  public let globalMemory: Int
  /// Bytes of local memory per work group.
  public package(set) var localMemory: Int
  /// Most work items of a work group.
  public let maximumWorkGroup: Int
  /// Largest single allocation in bytes.
  public let maximumAllocation: Int
  /// Byte alignment of sub-buffers.
  public let viewAlignment: Int
  /// Floats of a native vector, at least 4 and at most 16; of interest on CPU runtimes.
  public let vectorWidth: Int
  /// Ten times the compute capability of an NVIDIA GPU, such as 90; nil elsewhere.
  public let computeCapability: Int?
  let id: Handle

  /// A device handle; valid for the life of the process.
  struct Handle: @unchecked Sendable, Equatable {
    let id: cl_device_id
  }

  private enum CodingKeys: String, CodingKey {
    case index, name, vendor, platform, version, driver, kind
    case computeUnits = "compute_units"
    case clockFrequency = "clock_mhz"
    case globalMemory = "global_memory_bytes"
    case localMemory = "local_memory_bytes"
    case maximumWorkGroup = "maximum_work_group"
    case maximumAllocation = "maximum_allocation_bytes"
    case viewAlignment = "alignment_bytes"
    case vectorWidth = "vector_width"
    case computeCapability = "compute_capability"
  }

  init(api: TemperOpenCL, index: Int, platform: cl_platform_id, id: cl_device_id) {
    func text(_ key: Int32) -> String {
      infoText { api.clGetDeviceInfo(id, cl_device_info(key), $0, $1, $2) }
    }
    func number<T: FixedWidthInteger>(_ key: Int32, as: T.Type = T.self) -> Int {
      var value: T = 0
      _ = api.clGetDeviceInfo(id, cl_device_info(key), MemoryLayout<T>.size, &value, nil)
      return Int(clamping: value)
    }
    self.index = index
    self.id = Handle(id: id)
    name = text(CL_DEVICE_NAME)
    vendor = text(CL_DEVICE_VENDOR)
    self.platform = infoText {
      api.clGetPlatformInfo(platform, cl_platform_info(CL_PLATFORM_NAME), $0, $1, $2)
    }
    version = text(CL_DEVICE_VERSION)
    driver = text(CL_DRIVER_VERSION)
    let type = number(CL_DEVICE_TYPE, as: UInt64.self)
    kind = type & 4 != 0 ? .gpu : type & 2 != 0 ? .cpu : type & 8 != 0 ? .accelerator : .other
    computeUnits = number(CL_DEVICE_MAX_COMPUTE_UNITS, as: UInt32.self)
    clockFrequency = number(CL_DEVICE_MAX_CLOCK_FREQUENCY, as: UInt32.self)
    globalMemory = number(CL_DEVICE_GLOBAL_MEM_SIZE, as: UInt64.self)
    localMemory = number(CL_DEVICE_LOCAL_MEM_SIZE, as: UInt64.self)
    maximumWorkGroup = number(CL_DEVICE_MAX_WORK_GROUP_SIZE, as: UInt.self)
    maximumAllocation = number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, as: UInt64.self)
    vectorWidth = max(4, min(16, number(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, as: UInt32.self)))
    // cl_nv_device_attribute_query: CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV and MINOR_NV.
    let extensions = text(CL_DEVICE_EXTENSIONS).split(separator: " ")
    computeCapability =
      extensions.contains("cl_nv_device_attribute_query")
      ? 10 * number(0x4000, as: UInt32.self) + number(0x4001, as: UInt32.self) : nil
    viewAlignment = max(128, number(CL_DEVICE_MEM_BASE_ADDR_ALIGN, as: UInt32.self) / 8)
  }

  /// What tells this device and its driver from others, for keys of what is kept on disk.
  package var identity: [String] { [name, vendor, platform, version, driver] }

  /// Whether the driver keeps compiled programs on disk itself, and better than through its binaries. PoCL does:
  /// asked for a binary it compiles every kernel of the program once more, for work groups of any size, which takes
  /// four times as long as all the rest of a first use.
  var driverKeepsBinaries: Bool { isPoCL }
  /// Whether programs can be compiled at the same time. PoCL holds a lock, and compiles kernels when they are launched.
  package var compilesInParallel: Bool { !isPoCL }
  /// Whether the driver is PoCL, which runs kernels on the CPU.
  package var isPoCL: Bool { platform == "Portable Computing Language" }

  /// Every OpenCL device of this machine, in the order of the platforms; or why there is none.
  public static let all: [OpenCLDeviceInfo] = {
    guard let api = OpenCL.api else { return [] }
    var devices: [OpenCLDeviceInfo] = []
    for platform in platforms(api) {
      for id in deviceIDs(api, platform) {
        devices.append(.init(api: api, index: devices.count, platform: platform, id: id))
      }
    }
    return devices
  }()

  /// Why ``all`` is empty, or nil.
  public static var absenceReason: String? {
    guard OpenCL.api != nil else { return "no OpenCL library could be opened (\(OpenCL.loadFailure))" }
    return all.isEmpty ? "the OpenCL library offers no device (no driver is installed)" : nil
  }

  private static func platforms(_ api: TemperOpenCL) -> [cl_platform_id] {
    var count: cl_uint = 0
    guard api.clGetPlatformIDs(0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var ids = [cl_platform_id?](repeating: nil, count: Int(count))
    guard api.clGetPlatformIDs(count, &ids, nil) == CL_SUCCESS else { return [] }
    return ids.compactMap { $0 }
  }

  private static func deviceIDs(_ api: TemperOpenCL, _ platform: cl_platform_id) -> [cl_device_id] {
    let every = cl_device_type(0xFFFF_FFFF)
    var count: cl_uint = 0
    guard api.clGetDeviceIDs(platform, every, 0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var ids = [cl_device_id?](repeating: nil, count: Int(count))
    guard api.clGetDeviceIDs(platform, every, count, &ids, nil) == CL_SUCCESS else { return [] }
    return ids.compactMap { $0 }
  }
}

/// The text behind an OpenCL information query that is asked twice: for its size, then for its bytes.
func infoText(
  _ query: (Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?) -> cl_int
) -> String {
  var size = 0
  guard query(0, nil, &size) == CL_SUCCESS, size > 0 else { return "" }
  var bytes = [UInt8](repeating: 0, count: size)
  guard query(size, &bytes, nil) == CL_SUCCESS else { return "" }
  return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}
