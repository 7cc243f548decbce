import Devices
import Randomness

/// Random crops and flips of a batch, keyed by (seed, epoch, sample ID): the same on every device.
public struct Augmentation: Sendable, Hashable {
  /// Zeros on every side that a crop may reach into.
  public let padding: Int
  /// Whether half of the images are mirrored.
  public let flip: Bool
  /// Keys the random numbers.
  public let seed: UInt64
  /// Keys the random numbers.
  public let epoch: UInt32

  /// Creates settings.
  public init(padding: Int, flip: Bool, seed: UInt64, epoch: UInt32) {
    self.padding = padding
    self.flip = flip
    self.seed = seed
    self.epoch = epoch
  }
}

/// A batch of images from a whole data set in device memory, as floats in [0, 1] (bytes divided by 255).
///
/// - Parameters:
///   - images: (total, H, W, C), uint8.
///   - indices: (N), int32, in 0..<total.
///   - sampleIDs: (N), int32; keys of the augmentation.
/// - Returns: (N, H, W, C).
public func gatherBatch(
  images: Tensor, indices: Tensor, augmentation: Augmentation? = nil, sampleIDs: Tensor
) throws -> Tensor {
  let table = try Tensor((0..<256).map { Float($0) / 255 }, shape: [256], on: images.device)
  return try GatherBatch(augmentation: augmentation)(images, indices, sampleIDs, table)
}

/// Rows of a table (total, K) of floats: (N, K).
public func gatherRows(_ table: Tensor, indices: Tensor) throws -> Tensor { try GatherRows()(table, indices) }

/// Values of a vector (total) of int32: (N).
public func gatherLabels(_ labels: Tensor, indices: Tensor) throws -> Tensor {
  try GatherLabels()(labels, indices)
}

/// Inputs: images, indices, sample IDs, and the 256 floats that bytes stand for. Indices out of range are
/// clamped.
struct GatherBatch: Operation {
  let augmentation: Augmentation?

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape.rank == 4 && inputs[0].elementType == .uint8, "needs images of bytes", inputs)
    try require(
      inputs[1].shape == inputs[2].shape && inputs[1].shape.rank == 1, "the indices do not fit", inputs)
    let image = inputs[0].shape
    return [OutputSpec([inputs[1].shape[0], image[1], image[2], image[3]])]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let shape = inputs[0].shape
    let size = shape[1] * shape[2] * shape[3]
    let (bytes, table, out) = (inputs[0].bytePointer, inputs[3].pointer, outputs[0].pointer)
    cpu.parallel(inputs[1].shape[0]) { n in
      let index = min(max(0, Int(inputs[1].integerPointer[n])), shape[0] - 1)
      let source = bytes + index * size
      let target = out + n * size
      guard let augmentation else {
        for i in 0..<size { target[i] = table[Int(source[i])] }
        return
      }
      let id = UInt32(bitPattern: inputs[2].integerPointer[n])
      augmentation.crop(source, into: target, shape, sample: id, table)
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (shape, count) = (inputs[0].shape, outputs[0].shape.count)
    let seed = augmentation?.seed ?? 0
    try openCL.launch(
      "gather_batch",
      [
        .int(count), .int(shape[0]), .int(shape[1]), .int(shape[2]), .int(shape[3]),
        .int(augmentation == nil ? 0 : 1), .int(augmentation?.padding ?? 0),
        .int(augmentation?.flip == true ? 1 : 0),
        .uint(UInt32(truncatingIfNeeded: seed)), .uint(UInt32(truncatingIfNeeded: seed >> 32)),
        .uint(Purpose.augmentation.rawValue), .uint(augmentation?.epoch ?? 0),
      ] + (inputs + outputs).map { .buffer($0.buffer) }, elements: count)
  }
}

extension Augmentation {
  /// One image; words 0 and 1 of its stream give the crop's corner, word 2 the flip.
  fileprivate func crop(
    _ source: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>, _ shape: Shape, sample: UInt32,
    _ table: UnsafePointer<Float>
  ) {
    let stream = RandomStream(seed: seed, purpose: .augmentation, epoch: epoch, sample: sample)
    let side = UInt32(2 * padding + 1)
    let (dy, dx) = (Int(stream.word(at: 0) % side) - padding, Int(stream.word(at: 1) % side) - padding)
    let isFlipped = flip && stream.word(at: 2) & 1 == 1
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    for y in 0..<height {
      for x in 0..<width {
        let row = y + dy
        let column = (isFlipped ? width - 1 - x : x) + dx
        let inside = row >= 0 && row < height && column >= 0 && column < width
        for c in 0..<channels {
          target[(y * width + x) * channels + c] =
            inside ? table[Int(source[(row * width + column) * channels + c])] : 0
        }
      }
    }
  }
}

/// Inputs: table (total, K), indices.
struct GatherRows: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape.rank == 2 && inputs[1].shape.rank == 1, "needs a table and indices", inputs)
    return [OutputSpec([inputs[1].shape[0], inputs[0].shape[1]])]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (total, k) = (inputs[0].shape[0], inputs[0].shape[1])
    for n in 0..<inputs[1].shape[0] {
      let index = min(max(0, Int(inputs[1].integerPointer[n])), total - 1)
      (outputs[0].pointer + n * k).update(from: inputs[0].pointer + index * k, count: k)
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    try openCL.launch(
      "gather_rows",
      [.int(count), .int(inputs[0].shape[0]), .int(inputs[0].shape[1])]
        + (inputs + outputs).map { .buffer($0.buffer) }, elements: count)
  }
}

/// Inputs: labels (total), indices.
struct GatherLabels: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(
      inputs[0].elementType == .int32 && inputs[1].shape.rank == 1, "needs labels and indices", inputs)
    return [OutputSpec(inputs[1].shape, .int32)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let total = inputs[0].shape.count
    for n in 0..<inputs[1].shape[0] {
      let index = min(max(0, Int(inputs[1].integerPointer[n])), total - 1)
      outputs[0].integerPointer[n] = inputs[0].integerPointer[index]
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = inputs[1].shape[0]
    try openCL.launch(
      "gather_labels",
      [.int(count), .int(inputs[0].shape.count)] + (inputs + outputs).map { .buffer($0.buffer) },
      elements: count)
  }
}
