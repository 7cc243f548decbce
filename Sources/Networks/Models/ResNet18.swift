import Devices
import Tensors

/// ResNet-18 for small images (He et al., CVPR 2016): a 3x3 stem instead of 7x7 and pooling, four stages of two basic
/// blocks with 64, 128, 256 and 512 channels (times the width multiplier), global average pool, one linear layer.
///
/// Source: kuangliu/pytorch-cifar, models/resnet.py, whose names of the state dict it has.
public final class ResNet18: Network {
  /// What it was made for.
  public let description: NetworkDescription
  /// Every trainable tensor.
  public let store: ParameterStore
  private let normalize: NormalizationLayer
  private let stem: ConvolutionNorm
  private let blocks: [BasicBlock]
  private let classifier: Linear

  /// Makes the network with initial weights drawn from `seed`.
  public init(_ description: NetworkDescription, seed: UInt64, on device: Device) throws {
    self.description = description
    let plans = Self.plans(description.widthMultiplier)
    store = try ParameterStore(
      ConvolutionNorm.specs("conv1", "bn1", size: 3, description.channels, plans[0].channels)
        + plans.flatMap(\.specs)
        + Linear.specs("linear", plans.last!.filters, description.classes, isLast: true),
      seed: seed, on: device)
    normalize = try NormalizationLayer(description, on: device)
    stem = try ConvolutionNorm(store, "conv1", "bn1", padding: 1)
    blocks = try plans.map { [store] in try BasicBlock(store, $0) }
    classifier = Linear(store, "linear")
  }

  /// Running means and variances of every batch norm.
  public var statistics: [(name: String, tensor: Tensor)] { stem.statistics + blocks.flatMap(\.statistics) }

  /// Logits (N, classes) of images (N, H, W, C).
  public func logits(_ images: Tensor, mode: Mode) throws -> Tensor {
    var x = try stem(normalize(images), mode: mode, activation: .relu)
    for block in blocks { x = try block(x, mode: mode) }
    return try classifier(globalAveragePool(x))
  }

  private static func plans(_ multiplier: Double) -> [BasicBlock.Plan] {
    let widths = [64, 128, 256, 512].map { max(1, Int((Double($0) * multiplier).rounded())) }
    var channels = widths[0]
    var plans: [BasicBlock.Plan] = []
    for (stage, filters) in widths.enumerated() {
      for block in 0..<2 {
        let stride = stage > 0 && block == 0 ? 2 : 1
        plans.append(
          .init(name: "layer\(stage + 1).\(block)", channels: channels, filters: filters, stride: stride))
        channels = filters
      }
    }
    return plans
  }
}

/// Two 3x3 convolutions with batch norm, added to their input, or to a 1x1 convolution of it where the extents change.
private struct BasicBlock {
  /// What a block is made from.
  struct Plan {
    let name: String
    let channels: Int
    let filters: Int
    let stride: Int
    var hasShortcut: Bool { stride != 1 || channels != filters }

    var specs: [ParameterSpec] {
      ConvolutionNorm.specs(name + ".conv1", name + ".bn1", size: 3, channels, filters)
        + ConvolutionNorm.specs(name + ".conv2", name + ".bn2", size: 3, filters, filters)
        + (hasShortcut
          ? ConvolutionNorm.specs(name + ".shortcut.0", name + ".shortcut.1", size: 1, channels, filters)
          : [])
    }
  }

  private let first: ConvolutionNorm
  private let second: ConvolutionNorm
  private let shortcut: ConvolutionNorm?

  init(_ store: ParameterStore, _ plan: Plan) throws {
    let name = plan.name
    first = try ConvolutionNorm(store, name + ".conv1", name + ".bn1", stride: plan.stride, padding: 1)
    second = try ConvolutionNorm(store, name + ".conv2", name + ".bn2", padding: 1)
    shortcut =
      plan.hasShortcut
      ? try ConvolutionNorm(
        store, name + ".shortcut.0", name + ".shortcut.1", stride: plan.stride, padding: 0) : nil
  }

  var statistics: [(name: String, tensor: Tensor)] {
    first.statistics + second.statistics + (shortcut?.statistics ?? [])
  }

  func callAsFunction(_ x: Tensor, mode: Mode) throws -> Tensor {
    let residual = try shortcut?(x, mode: mode) ?? x
    let y = try first(x, mode: mode, activation: .relu)
    return try second(y, mode: mode, residual: residual, activation: .relu)
  }
}
