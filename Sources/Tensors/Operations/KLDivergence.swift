import Devices
import Foundation

/// KL(q || p) with q = softmax(teacher / T) and p = softmax(student / T), per sample, then reduced. There is no
/// factor T^2 inside. Gradients flow into both inputs.
///
/// - Parameters:
///   - teacher: logits (N, K).
///   - student: logits (N, K).
///   - temperature: T, above 0.
/// - Returns: a scalar in nats.
public func klDivergence(
  teacher: Tensor, student: Tensor, temperature: Float = 1, reduction: Reduction = .batchMean
) throws -> Tensor {
  let results = try KLDivergence(inverseTemperature: 1 / temperature)(all: [teacher, student])
  let factor = reduction.factor(student.shape[0])
  func share(_ gradient: Tensor) -> TapeNode.Pullback {
    { dy in try ScaleByScalar(constant: factor)(gradient, dy) }
  }
  return try Total(scale: factor)(results[0])
    .recorded(from: [(student, share(results[1])), (teacher, share(results[2]))])
}

/// KL (N), its derivative by the student's logits, (p - q) / T, and by the teacher's, q (log q - log p - KL) / T.
struct KLDivergence: Operation {
  let inverseTemperature: Float

  func outputs(for inputs: [Tensor]) throws -> [OutputSpec] {
    let shape = inputs[0].shape
    try require(
      inverseTemperature > 0 && inverseTemperature.isFinite, "the temperature is not above 0", inputs)
    try require(shape.rank == 2 && shape == inputs[1].shape, "needs two (N, K)", inputs)
    return [OutputSpec([shape[0]]), OutputSpec(shape), OutputSpec(shape)]
  }

  func run(on cpu: CPU, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (loss, byStudent, byTeacher) = (outputs[0].pointer, outputs[1].pointer, outputs[2].pointer)
    cpu.rows(inputs[0]) { row, teacher, k in
      let student = inputs[1].pointer + row * k
      let (q, p) = (RowSoftmax(teacher, k, inverseTemperature), RowSoftmax(student, k, inverseTemperature))
      var value: Float = 0
      for j in 0..<k {
        let (logQ, logP) = (q.logProbability(teacher[j]), p.logProbability(student[j]))
        value += exp(logQ) * (logQ - logP)
        byStudent[row * k + j] = (exp(logP) - exp(logQ)) * inverseTemperature
      }
      loss[row] = value
      for j in 0..<k {
        let (logQ, logP) = (q.logProbability(teacher[j]), p.logProbability(student[j]))
        byTeacher[row * k + j] = exp(logQ) * (logQ - logP - value) * inverseTemperature
      }
    }
  }

  func run(on openCL: OpenCL, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (n, k) = (inputs[0].shape[0], inputs[0].shape[1])
    try openCL.launchLogits(
      "kl_divergence",
      [.int(n), .int(k), .float(inverseTemperature)] + (inputs + outputs).map { .buffer($0.buffer) },
      rows: n, columns: k)
  }
}
