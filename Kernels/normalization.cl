// Batch norm over x (rows, c), where rows are all pixels of all images. Sums run over `groups` fixed groups of
// rows (global (c, groups)) and are then combined in order.

// Per group: mean and sum of squared distances from it (two passes over the group).
kernel void batch_norm_groups(
    const int rows, const int c, const int groups, global const float *restrict x, global float *restrict means,
    global float *restrict squares) {
  const int j = get_global_id(0), g = get_global_id(1);
  if (j >= c) return;
  const int first = (int)((long)rows * g / groups), last = (int)((long)rows * (g + 1) / groups);
  float sum = 0.0f;
  for (int i = first; i < last; i++) sum += x[(size_t)i * c + j];
  const float mean = last > first ? sum / (float)(last - first) : 0.0f;
  float square = 0.0f;
  for (int i = first; i < last; i++) {
    const float d = x[(size_t)i * c + j] - mean;
    square = fma(d, d, square);
  }
  means[(size_t)g * c + j] = mean;
  squares[(size_t)g * c + j] = square;
}

// Combines the groups (Chan et al. 1979) into the batch's mean and 1 / sqrt(variance + epsilon), and moves the
// running statistics: the variance there has rows - 1 in the denominator.
kernel void batch_norm_statistics(
    const int rows, const int c, const int groups, const float epsilon, const float momentum,
    global const float *restrict means, global const float *restrict squares, global float *restrict mean,
    global float *restrict inverse, global float *restrict running_mean, global float *restrict running_variance) {
  const int j = get_global_id(0);
  if (j >= c) return;
  float count = 0.0f, m = 0.0f, s = 0.0f;
  for (int g = 0; g < groups; g++) {
    const float size = (float)((int)((long)rows * (g + 1) / groups) - (int)((long)rows * g / groups));
    const float total = count + size, d = means[(size_t)g * c + j] - m;
    if (size == 0.0f) continue;
    m += d * (size / total);
    s += squares[(size_t)g * c + j] + d * d * (count * size / total);
    count = total;
  }
  mean[j] = m;
  inverse[j] = 1.0f / sqrt(s / (float)rows + epsilon);
  running_mean[j] = (1.0f - momentum) * running_mean[j] + momentum * m;
  running_variance[j] = (1.0f - momentum) * running_variance[j] + momentum * (s / (float)max(rows - 1, 1));
}

// 1 / sqrt(variance + epsilon), for evaluation.
kernel void batch_norm_inverse(
    const int c, const float epsilon, global const float *restrict variance, global float *restrict inverse) {
  const int j = get_global_id(0);
  if (j < c) inverse[j] = 1.0f / sqrt(variance[j] + epsilon);
}

// y = (x - mean) * inverse * scale + shift + residual, then ReLU; the residual may be missing.
kernel void batch_norm_apply(
    const int count, const int c, const int relu, global const float *restrict x, global const float *restrict mean,
    global const float *restrict inverse, global const float *restrict scale, global const float *restrict shift,
    global const float *restrict residual, global float *restrict y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int j = i % c;
  float v = (x[i] - mean[j]) * inverse[j] * scale[j] + shift[j];
  if (residual) v += residual[i];
  y[i] = relu && v < 0.0f ? 0.0f : v;
}

// Partial sums of dy and of dy times the normalised x: the gradients of shift and scale.
kernel void batch_norm_gradient_groups(
    const int rows, const int c, const int groups, global const float *restrict x, global const float *restrict dy,
    global const float *restrict mean, global const float *restrict inverse, global float *restrict shifts,
    global float *restrict scales) {
  const int j = get_global_id(0), g = get_global_id(1);
  if (j >= c) return;
  const int first = (int)((long)rows * g / groups), last = (int)((long)rows * (g + 1) / groups);
  float shift = 0.0f, scale = 0.0f;
  for (int i = first; i < last; i++) {
    const size_t e = (size_t)i * c + j;
    shift += dy[e];
    scale = fma(dy[e], (x[e] - mean[j]) * inverse[j], scale);
  }
  shifts[(size_t)g * c + j] = shift;
  scales[(size_t)g * c + j] = scale;
}

// dx where the statistics depend on x: scale * inverse * (dy - dshift / rows - xhat * dscale / rows).
kernel void batch_norm_input_gradient(
    const int count, const int c, const float inverse_rows, global const float *restrict x,
    global const float *restrict dy, global const float *restrict mean, global const float *restrict inverse,
    global const float *restrict scale, global const float *restrict dshift, global const float *restrict dscale,
    global float *restrict dx) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int j = i % c;
  const float v = inverse_rows * (dshift[j] + (x[i] - mean[j]) * inverse[j] * dscale[j]);
  dx[i] = scale[j] * inverse[j] * (dy[i] - v);
}
