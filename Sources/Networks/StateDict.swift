import Devices
import FileFormats
import Tensors

/// A network's weights by PyTorch's names and in PyTorch's layouts, as `load_state_dict` takes them.
public enum StateDict {
  /// Every parameter and statistic of a network: name, PyTorch shape and values.
  public static func tensors(of network: any Network) throws -> [(
    name: String, shape: [Int], values: [Float]
  )] {
    let parameters = try network.parameters.map { parameter in
      let spec = parameter.spec
      let values = try parameter.tensor.floats()
      return (spec.name, spec.layout.torchShape(spec.shape), spec.layout.toTorch(values, spec.shape))
    }
    return try parameters
      + network.statistics.map { ($0.name, $0.tensor.shape.dimensions, try $0.tensor.floats()) }
  }

  /// Replaces a network's weights.
  /// - Parameter tensors: gives a tensor's shape and values by name; throws if there is none.
  /// - Throws: `.badData` naming the tensor whose shape does not fit or which holds NaN or infinity.
  public static func load(
    into network: any Network, file: String? = nil,
    _ tensor: (String) throws -> (shape: [Int], values: [Float])
  ) throws {
    for parameter in network.parameters {
      let spec = parameter.spec
      let values = try checked(
        tensor(spec.name), spec.name, spec.layout.torchShape(spec.shape), network, file)
      try network.store.set(parameter, to: spec.layout.fromTorch(values, spec.shape))
    }
    for (name, target) in network.statistics {
      let values = try checked(tensor(name), name, target.shape.dimensions, network, file)
      try values.withUnsafeBytes { try target.device.write($0, to: target.buffer) }
      target.buffer.markChanged()
    }
  }

  private static func checked(
    _ tensor: (shape: [Int], values: [Float]), _ name: String, _ shape: [Int], _ network: any Network,
    _ file: String?
  ) throws -> [Float] {
    guard tensor.shape == shape else {
      throw TemperError(
        .badData, file: file, field: name,
        "has the shape \(tensor.shape); \(network.description.model) needs \(shape)",
        remedy: "Choose the --model that these weights were saved from.")
    }
    guard tensor.values.allSatisfy(\.isFinite) else {
      throw TemperError(.badData, file: file, field: name, "holds NaN or infinite weights")
    }
    return tensor.values
  }
}

extension StateLayout {
  /// The extents in PyTorch.
  package func torchShape(_ shape: Shape) -> [Int] {
    switch self {
    case .vector: shape.dimensions
    case .linear, .linearAfterImage: [shape[1], shape[0]]
    case .convolution: [shape[3], shape[2], shape[0], shape[1]]
    }
  }

  /// Values in PyTorch's order from values in Temper's.
  package func toTorch(_ values: [Float], _ shape: Shape) -> [Float] {
    guard self != .vector else { return values }
    return torchOrder(shape).map { values[$0] }
  }

  /// Values in Temper's order from values in PyTorch's.
  package func fromTorch(_ values: [Float], _ shape: Shape) -> [Float] {
    guard self != .vector else { return values }
    var result = values
    for (torch, own) in torchOrder(shape).enumerated() { result[own] = values[torch] }
    return result
  }

  /// For each element in PyTorch's order its index in Temper's.
  private func torchOrder(_ shape: Shape) -> [Int] {
    var order: [Int] = []
    order.reserveCapacity(shape.count)
    switch self {
    case .vector:
      order.append(contentsOf: 0..<shape.count)
    case .linear:
      for out in 0..<shape[1] { for i in 0..<shape[0] { order.append(i * shape[1] + out) } }
    case .linearAfterImage(let height, let width, let channels):
      for out in 0..<shape[1] {
        for c in 0..<channels {
          for pixel in 0..<height * width { order.append((pixel * channels + c) * shape[1] + out) }
        }
      }
    case .convolution:
      let (r, s, c, k) = (shape[0], shape[1], shape[2], shape[3])
      for filter in 0..<k {
        for channel in 0..<c {
          for tap in 0..<r * s { order.append((tap * c + channel) * k + filter) }
        }
      }
    }
    return order
  }
}
