import Devices
import FileFormats

/// Shape and element type of an operation's output.
package struct OutputSpec {
  package let shape: Shape
  package let elementType: ElementType

  package init(_ shape: Shape, _ elementType: ElementType = .float32) {
    self.shape = shape
    self.elementType = elementType
  }
}

/// A struct of settings that states its outputs' shapes and runs once per device. Forward and gradient
/// operations both are such structs; the public functions beside them record the gradient.
package protocol Operation {
  /// The outputs' shapes and types.
  /// - Throws: `.internal` naming the shapes that do not fit.
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec]
  /// Fills `outputs` on the CPU.
  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws
  /// Queues the kernels that fill `outputs`.
  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws
}

extension Operation {
  /// Runs the operation where its inputs are; no gradient is recorded.
  package func callAsFunction(all inputs: [Tensor]) throws -> [Tensor] {
    let device = inputs[0].device
    guard inputs.allSatisfy({ $0.device == device }) else {
      throw TemperError(.internal, field: "\(Self.self)", "the inputs are on different devices")
    }
    let outputs = try self.outputs(for: inputs).map {
      try Tensor(uninitialized: $0.shape, $0.elementType, on: device)
    }
    try run(on: device, inputs, outputs)
    return outputs
  }

  /// Runs an operation with one output.
  package func callAsFunction(_ inputs: Tensor...) throws -> Tensor { try self(all: inputs)[0] }

  /// Runs the operation into tensors that exist already, as in-place updates do.
  package func run(on device: Device, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    switch device {
    case .cpu(let cpu):
      guard let profile = cpu.profile else { return try run(on: cpu, inputs, outputs) }
      try profile.span(Self.name) { try run(on: cpu, inputs, outputs) }
    case .openCL(let openCL): try run(on: openCL, inputs, outputs)
    }
  }

  /// The type's name with the type it is nested in, such as `Convolution.WeightGradient`.
  private static var name: String {
    String(reflecting: Self.self).split(separator: ".").dropFirst().joined(separator: ".")
  }

  /// Throws unless `condition` holds; the message names the operation and the inputs' shapes.
  package func require(_ condition: Bool, _ what: String, _ inputs: [Tensor]) throws {
    guard !condition else { return }
    let shapes = inputs.map(\.shape.description).joined(separator: ", ")
    throw TemperError(.internal, field: "\(Self.self)", "\(what); the inputs' shapes are \(shapes)")
  }
}
