import Devices
import Foundation

/// How the losses of a batch's samples become one number.
public enum Reduction: Sendable {
  /// Their sum divided by the number of samples (PyTorch's `batchmean`).
  case batchMean
  /// Their sum.
  case sum

  func factor(_ samples: Int) -> Float { self == .sum ? 1 : 1 / Float(max(1, samples)) }
}

/// -log softmax(logits)[label], in nats.
///
/// - Parameters:
///   - logits: (N, K).
///   - labels: (N), int32, in 0..<K; another one makes the loss NaN.
///   - labelSmoothing: share a of the target that is spread over all classes: 1 - a + a / K at the label.
/// - Returns: a scalar.
public func crossEntropy(
  _ logits: Tensor, _ labels: Tensor, labelSmoothing: Float = 0, reduction: Reduction = .batchMean
) throws -> Tensor {
  try reduce(CrossEntropy(smoothing: labelSmoothing, isSoft: false), logits, labels, reduction)
}

/// -sum(targets * log softmax(logits)), in nats.
///
/// - Parameters:
///   - logits: (N, K).
///   - targets: (N, K), probabilities.
/// - Returns: a scalar.
public func crossEntropy(
  _ logits: Tensor, targets: Tensor, reduction: Reduction = .batchMean
) throws -> Tensor {
  try reduce(CrossEntropy(smoothing: 0, isSoft: true), logits, targets, reduction)
}

/// Each sample's cross-entropy (N), without gradient.
public func crossEntropyPerSample(_ logits: Tensor, _ labels: Tensor) throws -> Tensor {
  try CrossEntropy(smoothing: 0, isSoft: false)(all: [logits, labels])[0]
}

/// A loss per row together with its derivative by the logits, both in one pass.
func reduce(
  _ operation: some Operation, _ logits: Tensor, _ target: Tensor, _ reduction: Reduction
) throws -> Tensor {
  let results = try operation(all: [logits, target])
  let (loss, gradient) = (results[0], results[1])
  let factor = reduction.factor(logits.shape[0])
  return try Total(scale: factor)(loss)
    .recorded(from: [(logits, { dy in try ScaleByScalar(constant: factor)(gradient, dy) })])
}

/// Loss (N) and softmax - target (N, K). Inputs: logits and labels, or logits and probabilities.
struct CrossEntropy: Operation {
  let smoothing: Float
  let isSoft: Bool

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let (logits, target) = (inputs[0].shape, inputs[1])
    try require(logits.rank == 2 && logits[0] >= 1 && logits[1] >= 1, "needs logits (N, K)", inputs)
    try require((0...1).contains(smoothing), "the label smoothing is not in [0, 1]", inputs)
    if isSoft {
      try require(target.shape == logits, "the targets do not fit", inputs)
    } else {
      try require(
        target.shape.count == logits[0] && target.elementType == .int32, "the labels do not fit", inputs)
    }
    return [OutputSpec([logits[0]]), OutputSpec(logits)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (loss, gradient) = (outputs[0].pointer, outputs[1].pointer)
    cpu.rows(inputs[0]) { row, z, k in
      let softmax = RowSoftmax(z, k)
      let label = isSoft ? 0 : Int(inputs[1].integerPointer[row])
      let targets = isSoft ? inputs[1].pointer + row * k : nil
      var total: Float = 1
      if let targets { total = (0..<k).reduce(0) { $0 + targets[$1] } }
      var value: Float = (0..<k).contains(label) ? 0 : .nan
      for j in 0..<k {
        let logP = softmax.logProbability(z[j])
        let target = targets?[j] ?? (smoothing / Float(k) + (j == label ? 1 - smoothing : 0))
        value -= target * logP
        gradient[row * k + j] = value.isNaN ? .nan : exp(logP) * total - target
      }
      if !isSoft, !value.isNaN {
        // The row adds up to 0; p - 1 would vanish where p rounds to 1.
        gradient[row * k + label] = -(0..<k).reduce(0) { $1 == label ? $0 : $0 + gradient[row * k + $1] }
      }
      loss[row] = value
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
    let buffers = [inputs[0], inputs[1], outputs[0], outputs[1]].map { KernelArgument.buffer($0.buffer) }
    let extents: [KernelArgument] = [.int(n), .int(k)] + (isSoft ? [] : [.float(smoothing)])
    try openCL.launchLogits(
      isSoft ? "cross_entropy_soft" : "cross_entropy", extents + buffers, rows: n, columns: k)
  }
}
