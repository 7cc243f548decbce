// Updates of all parameters of a network in one launch: weights, gradients and state are flat buffers of `count`
// values. Formulas as PyTorch's torch.optim.SGD and AdamW.

kernel void sgd_step(
    const int count, const float rate, const float momentum, const float weight_decay, const int nesterov,
    global float *restrict weights, global const float *restrict gradients, global float *restrict velocity) {
  FOR_EACH(i, count) {
    const float g = gradients[i] + weight_decay * weights[i];
    const float v = momentum * velocity[i] + g;
    velocity[i] = v;
    weights[i] -= rate * (nesterov ? g + momentum * v : v);
  }
}

// correction1 = 1 - beta1^t, correction2 = sqrt(1 - beta2^t).
kernel void adamw_step(
    const int count, const float rate, const float beta1, const float beta2, const float epsilon,
    const float weight_decay, const float correction1, const float correction2, global float *restrict weights,
    global const float *restrict gradients, global float *restrict first, global float *restrict second) {
  FOR_EACH(i, count) {
    const float g = gradients[i];
    const float m = beta1 * first[i] + (1.0f - beta1) * g;
    const float v = beta2 * second[i] + (1.0f - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = weights[i] * (1.0f - rate * weight_decay)
      - rate / correction1 * m / (sqrt(v) / correction2 + epsilon);
  }
}
