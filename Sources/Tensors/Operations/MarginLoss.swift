import Devices

/// The largest incorrect logit minus the correct one, max over i != y of z_i, minus z_y: positive where the
/// sample is misclassified.
///
/// - Parameters:
///   - logits: (N, K), K >= 2.
///   - labels: (N), int32, in 0..<K; another one makes the loss NaN.
/// - Returns: a scalar.
public func marginLoss(
  _ logits: Tensor, _ labels: Tensor, reduction: Reduction = .batchMean
) throws -> Tensor {
  try reduce(MarginLoss(), logits, labels, reduction)
}

/// Loss (N) and its derivative (N, K). Inputs: logits, labels.
struct MarginLoss: Operation {
  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let logits = inputs[0].shape
    try require(logits.rank == 2 && logits[1] >= 2, "needs logits (N, K) with K >= 2", inputs)
    try require(
      inputs[1].shape.count == logits[0] && inputs[1].elementType == .int32, "the labels do not fit", inputs)
    return [OutputSpec([logits[0]]), OutputSpec(logits)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    cpu.rows(inputs[0]) { row, z, k in
      let label = Int(inputs[1].integerPointer[row])
      let isValid = (0..<k).contains(label)
      var other = label == 0 ? 1 : 0
      for j in 0..<k where j != label && z[j] > z[other] { other = j }
      outputs[0].pointer[row] = isValid ? z[other] - z[label] : .nan
      let gradient = outputs[1].pointer + row * k
      for j in 0..<k { gradient[j] = !isValid ? .nan : j == other ? 1 : j == label ? -1 : 0 }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
    try openCL.launchLogits(
      "margin_loss", [.int(n), .int(k)] + (inputs + outputs).map { .buffer($0.buffer) }, rows: n, columns: k)
  }
}
