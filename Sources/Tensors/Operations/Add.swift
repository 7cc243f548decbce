import Devices

/// a + b, elementwise; equal shapes.
public func add(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  try Add()(a, b).recorded(from: [(a, { $0 }), (b, { $0 })])
}

/// a + b.
struct Add: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    try require(inputs[0].shape == inputs[1].shape, "the shapes differ", inputs)
    return [OutputSpec(inputs[0].shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (a, b, c) = (inputs[0].pointer, inputs[1].pointer, outputs[0].pointer)
    cpu.elementwise(outputs[0].shape.count) { i in
      (SIMD8(at: a + i) + SIMD8(at: b + i)).store(to: c + i)
    } scalar: { i in
      c[i] = a[i] + b[i]
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    fatalError("OpenCL half")
  }
}
