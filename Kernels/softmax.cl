// Operations on the rows of logits (n, k), one item per row (global (n) rounded up): rows are short, and a loop
// with the row in the cache is fastest on CPU runtimes. Every exponential is of a logit minus the row's largest.

inline int row_best(global const float *z, int k) {
  int best = 0;
  for (int j = 1; j < k; j++) best = z[j] > z[best] ? j : best;
  return best;
}

// Logarithm of the sum of exponentials of (z - z[best]) / t. The largest logit's own 1 stays out of the sum:
// log1p keeps the tiny loss of a confident sample, which 1 + rest would round away.
inline float log_sum(global const float *z, int k, int best, float inverse_t) {
  float rest = 0.0f;
  for (int j = 0; j < k; j++)
    if (j != best) rest += exp((z[j] - z[best]) * inverse_t);
  return log1p(rest);
}

// Softmax of x / t, or its logarithm.
kernel void softmax_rows(
    const int n, const int k, const float inverse_t, const int logarithm, global const float *restrict x,
    global float *restrict y) {
  const int i = get_global_id(0);
  if (i >= n) return;
  global const float *z = x + (size_t)i * k;
  const int best = row_best(z, k);
  const float m = z[best], l = log_sum(z, k, best, inverse_t);
  for (int j = 0; j < k; j++) {
    const float v = (z[j] - m) * inverse_t - l;
    y[(size_t)i * k + j] = logarithm ? v : exp(v);
  }
}

// From y = softmax(x / t): dx = y (dy - sum(y dy)) / t; from y = log softmax: dx = (dy - exp(y) sum(dy)) / t.
kernel void softmax_gradient(
    const int n, const int k, const float inverse_t, const int logarithm, global const float *restrict y,
    global const float *restrict dy, global float *restrict dx) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const size_t o = (size_t)i * k;
  float sum = 0.0f;
  for (int j = 0; j < k; j++) sum += logarithm ? dy[o + j] : y[o + j] * dy[o + j];
  for (int j = 0; j < k; j++)
    dx[o + j] = (logarithm ? dy[o + j] - exp(y[o + j]) * sum : y[o + j] * (dy[o + j] - sum)) * inverse_t;
}

// Loss of each row and its derivative (softmax - target). The target is 1 - smoothing at the label plus
// smoothing / k everywhere. A label out of range gives NaN.
kernel void cross_entropy(
    const int n, const int k, const float smoothing, global const float *restrict logits,
    global const int *restrict labels, global float *restrict loss, global float *restrict gradient) {
  const int i = get_global_id(0);
  if (i >= n) return;
  global const float *z = logits + (size_t)i * k;
  const int label = labels[i];
  const int best = row_best(z, k);
  const float m = z[best], l = log_sum(z, k, best, 1.0f), share = smoothing / (float)k;
  float value = label < 0 || label >= k ? NAN : 0.0f;
  for (int j = 0; j < k; j++) {
    const float log_p = z[j] - m - l, target = share + (j == label ? 1.0f - smoothing : 0.0f);
    value -= target * log_p;
    gradient[(size_t)i * k + j] = value != value ? NAN : exp(log_p) - target;
  }
  loss[i] = value;
  if (value != value) return;
  float others = 0.0f;  // the row adds up to 0; p - 1 would vanish where p rounds to 1
  for (int j = 0; j < k; j++)
    if (j != label) others += gradient[(size_t)i * k + j];
  gradient[(size_t)i * k + label] = -others;
}

// As cross_entropy for targets (n, k) that are probabilities.
kernel void cross_entropy_soft(
    const int n, const int k, global const float *restrict logits, global const float *restrict targets,
    global float *restrict loss, global float *restrict gradient) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const size_t o = (size_t)i * k;
  global const float *z = logits + o;
  const int best = row_best(z, k);
  const float m = z[best], l = log_sum(z, k, best, 1.0f);
  float value = 0.0f, total = 0.0f;
  for (int j = 0; j < k; j++) total += targets[o + j];
  for (int j = 0; j < k; j++) {
    const float log_p = z[j] - m - l;
    value -= targets[o + j] * log_p;
    gradient[o + j] = exp(log_p) * total - targets[o + j];
  }
  loss[i] = value;
}

// KL(q || p) of each row, q = softmax(teacher / t), p = softmax(student / t); derivatives by the student's
// logits, (p - q) / t, and by the teacher's, q (log q - log p - KL) / t.
kernel void kl_divergence(
    const int n, const int k, const float inverse_t, global const float *restrict teacher,
    global const float *restrict student, global float *restrict loss, global float *restrict by_student,
    global float *restrict by_teacher) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const size_t o = (size_t)i * k;
  global const float *a = teacher + o, *b = student + o;
  const int best_a = row_best(a, k), best_b = row_best(b, k);
  const float ma = a[best_a], la = log_sum(a, k, best_a, inverse_t);
  const float mb = b[best_b], lb = log_sum(b, k, best_b, inverse_t);
  float value = 0.0f;
  for (int j = 0; j < k; j++) {
    const float log_q = (a[j] - ma) * inverse_t - la, log_p = (b[j] - mb) * inverse_t - lb;
    value += exp(log_q) * (log_q - log_p);
    by_student[o + j] = (exp(log_p) - exp(log_q)) * inverse_t;
  }
  loss[i] = value;
  for (int j = 0; j < k; j++) {
    const float log_q = (a[j] - ma) * inverse_t - la, log_p = (b[j] - mb) * inverse_t - lb;
    by_teacher[o + j] = exp(log_q) * (log_q - log_p - value) * inverse_t;
  }
}

// Largest logit of another class minus the label's, and its derivative. A label out of range gives NaN.
kernel void margin_loss(
    const int n, const int k, global const float *restrict logits, global const int *restrict labels,
    global float *restrict loss, global float *restrict gradient) {
  const int i = get_global_id(0);
  if (i >= n) return;
  global const float *z = logits + (size_t)i * k;
  const int label = labels[i];
  const bool valid = label >= 0 && label < k;
  int other = label == 0 ? 1 : 0;
  for (int j = other + 1; j < k; j++)
    if (j != label && z[j] > z[other]) other = j;
  loss[i] = valid ? z[other] - z[label] : NAN;
  for (int j = 0; j < k; j++)
    gradient[(size_t)i * k + j] = !valid ? NAN : j == other ? 1.0f : j == label ? -1.0f : 0.0f;
}

// Class of the largest logit (the lowest on ties), the largest and the next largest logit.
kernel void top_two(
    const int n, const int k, global const float *restrict logits, global int *restrict index,
    global int *restrict second_index, global float *restrict first, global float *restrict second) {
  const int i = get_global_id(0);
  if (i >= n) return;
  global const float *z = logits + (size_t)i * k;
  int a = 0, b = -1;
  for (int j = 1; j < k; j++) {
    if (z[j] > z[a]) { b = a; a = j; }
    else if (b < 0 || z[j] > z[b]) b = j;
  }
  index[i] = a;
  second_index[i] = b;
  first[i] = z[a];
  second[i] = b < 0 ? z[a] : z[b];
}

// dz = dy at the largest logit and, if `gap`, -dy at the next largest.
kernel void top_gradient(
    const int n, const int k, const int gap, global const int *restrict index,
    global const int *restrict second_index, global const float *restrict dy, global float *restrict dz) {
  const int i = get_global_id(0);
  if (i >= n) return;
  for (int j = 0; j < k; j++)
    dz[(size_t)i * k + j] = j == index[i] ? dy[i] : gap && j == second_index[i] ? -dy[i] : 0.0f;
}
