import Devices
import FileFormats
import Randomness
import Tensors

/// All parameters of a network in one flat buffer, so that an optimizer updates them in one launch. The gaps
/// that alignment leaves between parameters stay zero.
public final class ParameterStore {
  /// The parameters in the order of the state dict.
  public let parameters: [Parameter]
  /// The flat buffer as a vector.
  package let flat: Tensor
  /// Where the parameters live.
  public var device: Device { flat.device }

  /// Allocates the parameters and draws their first values from `seed`, the same on every device.
  public init(_ specs: [ParameterSpec], seed: UInt64, on device: Device) throws {
    let alignment = device.viewAlignment / 4
    var offsets: [Int] = []
    var end = 0
    for spec in specs {
      offsets.append(end)
      end += (spec.shape.count + alignment - 1) / alignment * alignment
    }
    flat = try Tensor(repeating: 0, shape: [end], on: device)
    parameters = try zip(specs, offsets).map { [flat] spec, offset in
      let view = try flat.buffer.view(byteOffset: offset * 4, byteCount: spec.shape.count * 4)
      return Parameter(spec, tensor: Tensor(shape: spec.shape, buffer: view), offset: offset)
    }
    for (index, parameter) in parameters.enumerated() {
      try set(parameter, to: Self.initialValues(parameter.spec, seed: seed, index: UInt32(index)))
    }
  }

  /// The parameter of a name.
  public subscript(name: String) -> Parameter {
    guard let parameter = parameters.first(where: { $0.name == name }) else {
      preconditionFailure("no parameter \(name)")
    }
    return parameter
  }

  /// Replaces the values of a parameter.
  func set(_ parameter: Parameter, to values: [Float]) throws {
    try values.withUnsafeBytes { try device.write($0, to: parameter.tensor.buffer) }
    parameter.tensor.buffer.markChanged()
  }

  /// Tells the parameters that the flat buffer was written to.
  package func markChanged() {
    for parameter in parameters { parameter.tensor.buffer.markChanged() }
  }

  /// Gradients of all parameters, in the parameters' order, as one vector laid out as ``flat``.
  package func flattened(_ gradients: [Tensor], into target: Tensor) throws {
    for (parameter, gradient) in zip(parameters, gradients) {
      let view = try target.buffer.view(byteOffset: parameter.offset * 4, byteCount: gradient.shape.count * 4)
      try device.copy(gradient.buffer, to: view, byteCount: gradient.shape.count * 4)
    }
  }

  private static func initialValues(_ spec: ParameterSpec, seed: UInt64, index: UInt32) -> [Float] {
    switch spec.initialization {
    case .constant(let value):
      return [Float](repeating: value, count: spec.shape.count)
    case .uniform(let fanIn):
      let stream = RandomStream(seed: seed, purpose: .weights, sample: index)
      let bound = 1 / Float(fanIn).squareRoot()
      return (0..<spec.shape.count).map { (2 * stream.uniform(at: $0) - 1) * bound }
    case .heNormal(let fanIn):
      let stream = RandomStream(seed: seed, purpose: .weights, sample: index)
      let deviation = (2 / Float(fanIn)).squareRoot()
      return (0..<spec.shape.count).map { deviation * Float(stream.normal(at: $0)) }
    }
  }
}
