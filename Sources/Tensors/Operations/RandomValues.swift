import Devices
import Randomness

/// Uniform values in [low, high) from a stream, made on the device; equal on every device bit for bit.
public func randomUniform(
  _ shape: Shape, in range: Range<Float>, from stream: RandomStream, on device: Device
) throws
  -> Tensor
{
  try RandomValues(shape: shape, stream: stream, kind: .uniform(range)).run(on: device)
}

/// Normal values from a stream, made on the device (Box and Muller 1958); equal up to the devices' logarithm
/// and cosine.
public func randomNormal(
  _ shape: Shape, mean: Float = 0, standardDeviation: Float = 1, from stream: RandomStream, on device: Device
) throws -> Tensor {
  try RandomValues(shape: shape, stream: stream, kind: .normal(mean, standardDeviation)).run(on: device)
}

/// Values without inputs.
struct RandomValues: Operation {
  enum Kind {
    case uniform(Range<Float>)
    case normal(Float, Float)
  }
  let shape: Shape
  let stream: RandomStream
  let kind: Kind

  func run(on device: Device) throws -> Tensor {
    let result = try Tensor(uninitialized: shape, on: device)
    try run(on: device, [], [result])
    return result
  }

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(shape)] }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let out = outputs[0].pointer
    cpu.parallelRanges(shape.count, grain: 4096) { range in
      for i in range {
        switch kind {
        case .uniform(let bounds):
          let step = (bounds.upperBound - bounds.lowerBound) * stream.uniform(at: i)
          out[i] = bounds.lowerBound + step
        case .normal(let mean, let deviation):
          out[i] = mean + deviation * Float(stream.normal(at: i))
        }
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (name, low, high): (String, Float, Float) =
      switch kind {
      case .uniform(let bounds): ("random_uniform", bounds.lowerBound, bounds.upperBound)
      case .normal(let mean, let deviation): ("random_normal", mean, deviation)
      }
    try openCL.launch(
      name,
      [
        .int(shape.count), .float(low), .float(high), .uint(stream.key.x), .uint(stream.key.y),
        .uint(stream.counter.w),
        .uint(stream.counter.z), .uint(stream.counter.y), .buffer(outputs[0].buffer),
      ], elements: shape.count)
  }
}
