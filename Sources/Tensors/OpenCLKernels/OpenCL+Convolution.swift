import Devices

extension OpenCL {
  /// y = conv(x, weights) + bias, then ReLU.
  func convolve(
    _ g: ConvolutionGeometry, _ x: Tensor, _ weights: Tensor, bias: Tensor?, relu: Bool, into y: Tensor
  ) throws {
    if let kernels = try checkedKernels(.forward, g) {
      try convolveCPU(kernels, g, x, weights, bias: bias, relu: relu, into: y)
    } else {
      try convolveGPU(g, x, weights, bias: bias, relu: relu, into: y)
    }
  }

  /// dx of a convolution; 0 where `mask`, x as the output of a ReLU, is not positive.
  func convolveInputGradient(
    _ g: ConvolutionGeometry, _ dy: Tensor, _ weights: Tensor, mask: Tensor?, into dx: Tensor
  ) throws {
    if let kernels = try checkedKernels(.inputGradient, g) {
      try convolveInputGradientCPU(kernels, g, dy, weights, mask: mask, into: dx)
    } else {
      try convolveInputGradientGPU(g, dy, weights, mask: mask?.buffer, into: dx)
    }
  }

  /// dW of a convolution.
  func convolveWeightGradient(
    _ g: ConvolutionGeometry, _ x: Tensor, _ dy: Tensor, into dw: Tensor
  ) throws {
    if let kernels = try checkedKernels(.weightGradient, g) {
      try convolveWeightGradientCPU(kernels, g, x, dy, into: dw)
    } else {
      try convolveWeightGradientGPU(g, x, dy, into: dw)
    }
  }

  /// dW as the sum of so many partial results, in their order.
  func sumPartials(_ partial: Tensor, chunks: Int, count: Int, into sum: Tensor) throws {
    try launch(
      "sum_partials", [.int(count), .int(chunks), .buffer(partial.buffer), .buffer(sum.buffer)],
      elements: count, flops: chunks * count, bytes: 4 * (chunks + 1) * count)
  }
}
