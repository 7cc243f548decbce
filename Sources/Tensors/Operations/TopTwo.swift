import Devices

/// The class of the largest logit of each row of (N, K): (N), int32; the lowest index on ties.
public func argmax(_ logits: Tensor) throws -> Tensor { try TopTwo()(all: [logits])[0] }

/// The largest and the next largest logit of each row: two tensors (N). Without gradient.
public func topTwo(_ logits: Tensor) throws -> (largest: Tensor, second: Tensor) {
  let results = try TopTwo(needsSecond: true)(all: [logits])
  return (results[2], results[3])
}

/// The largest logit of each row of (N, K): (N).
public func maximumLogit(_ logits: Tensor) throws -> Tensor {
  let results = try TopTwo()(all: [logits])
  let gradient = TopTwo.Gradient(shape: logits.shape, isGap: false)
  return results[2].recorded(from: [(logits, { dy in try gradient(results[0], results[1], dy) })])
}

/// The largest minus the next largest logit of each row of (N, K), K >= 2: (N).
public func logitGap(_ logits: Tensor) throws -> Tensor {
  let results = try TopTwo(needsSecond: true)(all: [logits])
  let gradient = TopTwo.Gradient(shape: logits.shape, isGap: true)
  return try Pairwise(kind: .subtract)(results[2], results[3])
    .recorded(from: [(logits, { dy in try gradient(results[0], results[1], dy) })])
}

/// Per row: class of the largest logit, class of the next largest, both logits.
struct TopTwo: Operation {
  var needsSecond = false

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let columns = needsSecond ? 2 : 1
    try require(
      inputs[0].shape.rank == 2 && inputs[0].shape[1] >= columns, "needs (N, K), K >= \(columns)", inputs)
    let n: Shape = [inputs[0].shape[0]]
    return [OutputSpec(n, .int32), OutputSpec(n, .int32), OutputSpec(n), OutputSpec(n)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    cpu.rows(inputs[0]) { row, z, k in
      var (first, second) = (0, -1)
      for j in 1..<max(1, k) {
        if z[j] > z[first] {
          (first, second) = (j, first)
        } else if second < 0 || z[j] > z[second] {
          second = j
        }
      }
      outputs[0].integerPointer[row] = Int32(first)
      outputs[1].integerPointer[row] = Int32(second)
      outputs[2].pointer[row] = z[first]
      outputs[3].pointer[row] = second < 0 ? z[first] : z[second]
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
    try openCL.launchLogits(
      "top_two", [.int(n), .int(k)] + (inputs + outputs).map { .buffer($0.buffer) }, rows: n, columns: k)
  }

  /// dy at the largest logit and, for the gap, -dy at the next largest. Inputs: both classes, dy.
  struct Gradient: Operation {
    let shape: Shape
    let isGap: Bool

    func outputs(for inputs: [Tensor]) throws -> [OutputSpec] { [OutputSpec(shape)] }

    func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      let (first, second, dy) = (inputs[0].integerPointer, inputs[1].integerPointer, inputs[2].pointer)
      cpu.rows(outputs[0]) { row, dz, k in
        for j in 0..<k {
          dz[j] = j == first[row] ? dy[row] : isGap && j == second[row] ? -dy[row] : 0
        }
      }
    }

    func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
      try openCL.launchLogits(
        "top_gradient",
        [.int(shape[0]), .int(shape[1]), .int(isGap ? 1 : 0)] + (inputs + outputs).map { .buffer($0.buffer) },
        rows: shape[0], columns: shape[1])
    }
  }
}
