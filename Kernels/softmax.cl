// Operations on the rows of logits (n, k). One item handles a row (global (n) rounded up): rows are short, and a loop
// with the row in the cache is fastest on CPU runtimes. For long rows on GPUs a work group of ROW_ITEMS items handles one
// (global (ROW_ITEMS * n)): each takes every ROW_ITEMS-th column, and they combine their values in local memory, in an order
// that depends on k only. Every exponential is of a logit minus the row's largest.
#ifndef ROW_ITEMS
#define ROW_ITEMS 1
#endif

// Names of a row and of an item's place in it; `row` is what the functions below need.
#if ROW_ITEMS == 1
typedef int RowItems;
#define THIS_ROW \
  const int i = get_global_id(0); \
  if (i >= n) return; \
  const RowItems row = 0;
#define ROW_ITEM 0
#else
typedef struct {
  local float *values;
  local int *places;
} RowItems;
#define THIS_ROW \
  const int i = get_group_id(0); \
  local float row_values[ROW_ITEMS]; \
  local int row_places[ROW_ITEMS]; \
  const RowItems row = {row_values, row_places};
#define ROW_ITEM ((int)get_local_id(0))
#endif
#define FOR_COLUMNS(j, k) for (int j = ROW_ITEM; j < (k); j += ROW_ITEMS)

// The sum of one value per item, for every item.
inline float row_sum(const RowItems row, const float value) {
#if ROW_ITEMS == 1
  return value;
#else
  barrier(CLK_LOCAL_MEM_FENCE);
  row.values[ROW_ITEM] = value;
  for (int half_size = ROW_ITEMS / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (ROW_ITEM < half_size) row.values[ROW_ITEM] += row.values[ROW_ITEM + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return row.values[0];
#endif
}

// The column of the largest value but for column `skip`, the first on ties; -1 if there is none.
inline int row_best(const RowItems row, global const float *z, int k, int skip) {
  int best = -1;
  FOR_COLUMNS(j, k)
    if (j != skip && (best < 0 || z[j] > z[best])) best = j;
#if ROW_ITEMS > 1
  barrier(CLK_LOCAL_MEM_FENCE);
  row.places[ROW_ITEM] = best;
  for (int half_size = ROW_ITEMS / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (ROW_ITEM < half_size) {
      const int a = row.places[ROW_ITEM], b = row.places[ROW_ITEM + half_size];
      if (b >= 0 && (a < 0 || z[b] > z[a] || (z[b] == z[a] && b < a))) row.places[ROW_ITEM] = b;
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  best = row.places[0];
#endif
  return best;
}

// Logarithm of the sum of exponentials of (z - z[best]) / t. The largest logit's own 1 stays out of the sum:
// log1p keeps the tiny loss of a confident sample, which 1 + rest would round away.
inline float log_sum(const RowItems row, global const float *z, int k, int best, float inverse_t) {
  float rest = 0.0f;
  FOR_COLUMNS(j, k)
    if (j != best) rest += exp((z[j] - z[best]) * inverse_t);
  return log1p(row_sum(row, rest));
}

// Softmax of x / t, or its logarithm.
kernel void softmax_rows(
    const int n, const int k, const float inverse_t, const int logarithm, global const float *restrict x,
    global float *restrict y) {
  THIS_ROW
  global const float *z = x + (size_t)i * k;
  const int best = row_best(row, z, k, -1);
  const float m = z[best], l = log_sum(row, z, k, best, inverse_t);
  FOR_COLUMNS(j, k) {
    const float v = (z[j] - m) * inverse_t - l;
    y[(size_t)i * k + j] = logarithm ? v : exp(v);
  }
}

// From y = softmax(x / t): dx = y (dy - sum(y dy)) / t; from y = log softmax: dx = (dy - exp(y) sum(dy)) / t.
kernel void softmax_gradient(
    const int n, const int k, const float inverse_t, const int logarithm, global const float *restrict y,
    global const float *restrict dy, global float *restrict dx) {
  THIS_ROW
  const size_t o = (size_t)i * k;
  float sum = 0.0f;
  FOR_COLUMNS(j, k) sum += logarithm ? dy[o + j] : y[o + j] * dy[o + j];
  sum = row_sum(row, sum);
  FOR_COLUMNS(j, k)
    dx[o + j] = (logarithm ? dy[o + j] - exp(y[o + j]) * sum : y[o + j] * (dy[o + j] - sum)) * inverse_t;
}

// Loss of each row and its derivative (softmax - target). The target is 1 - smoothing at the label plus
// smoothing / k everywhere. A label out of range gives NaN.
kernel void cross_entropy(
    const int n, const int k, const float smoothing, global const float *restrict logits,
    global const int *restrict labels, global float *restrict loss, global float *restrict gradient) {
  THIS_ROW
  global const float *z = logits + (size_t)i * k;
  const int label = labels[i];
  const int best = row_best(row, z, k, -1);
  const float m = z[best], l = log_sum(row, z, k, best, 1.0f), share = smoothing / (float)k;
  float value = 0.0f;
  FOR_COLUMNS(j, k) value -= (share + (j == label ? 1.0f - smoothing : 0.0f)) * (z[j] - m - l);
  value = row_sum(row, value);
  if (label < 0 || label >= k) value = NAN;
  float others = 0.0f;  // the row adds up to 0; p - 1 would vanish where p rounds to 1
  FOR_COLUMNS(j, k) {
    const float g = value != value ? NAN : exp(z[j] - m - l) - share;
    gradient[(size_t)i * k + j] = g;
    if (j != label) others += g;
  }
  others = row_sum(row, others);
  if (ROW_ITEM == 0) loss[i] = value;
  if (value == value && label % ROW_ITEMS == ROW_ITEM) gradient[(size_t)i * k + label] = -others;
}

// As cross_entropy for targets (n, k) that are probabilities.
kernel void cross_entropy_soft(
    const int n, const int k, global const float *restrict logits, global const float *restrict targets,
    global float *restrict loss, global float *restrict gradient) {
  THIS_ROW
  const size_t o = (size_t)i * k;
  global const float *z = logits + o;
  const int best = row_best(row, z, k, -1);
  const float m = z[best], l = log_sum(row, z, k, best, 1.0f);
  float value = 0.0f, total = 0.0f;
  FOR_COLUMNS(j, k) total += targets[o + j];
  total = row_sum(row, total);
  FOR_COLUMNS(j, k) {
    const float log_p = z[j] - m - l;
    value -= targets[o + j] * log_p;
    gradient[o + j] = exp(log_p) * total - targets[o + j];
  }
  value = row_sum(row, value);
  if (ROW_ITEM == 0) loss[i] = value;
}

// KL(q || p) of each row, q = softmax(teacher / t), p = softmax(student / t); derivatives by the student's
// logits, (p - q) / t, and by the teacher's, q (log q - log p - KL) / t.
kernel void kl_divergence(
    const int n, const int k, const float inverse_t, global const float *restrict teacher,
    global const float *restrict student, global float *restrict loss, global float *restrict by_student,
    global float *restrict by_teacher) {
  THIS_ROW
  const size_t o = (size_t)i * k;
  global const float *a = teacher + o, *b = student + o;
  const int best_a = row_best(row, a, k, -1), best_b = row_best(row, b, k, -1);
  const float ma = a[best_a], la = log_sum(row, a, k, best_a, inverse_t);
  const float mb = b[best_b], lb = log_sum(row, b, k, best_b, inverse_t);
  float value = 0.0f;
  FOR_COLUMNS(j, k) {
    const float log_q = (a[j] - ma) * inverse_t - la, log_p = (b[j] - mb) * inverse_t - lb;
    value += exp(log_q) * (log_q - log_p);
    by_student[o + j] = (exp(log_p) - exp(log_q)) * inverse_t;
  }
  value = row_sum(row, value);
  if (ROW_ITEM == 0) loss[i] = value;
  FOR_COLUMNS(j, k) {
    const float log_q = (a[j] - ma) * inverse_t - la, log_p = (b[j] - mb) * inverse_t - lb;
    by_teacher[o + j] = exp(log_q) * (log_q - log_p - value) * inverse_t;
  }
}

// Largest logit of another class minus the label's, and its derivative. A label out of range gives NaN.
kernel void margin_loss(
    const int n, const int k, global const float *restrict logits, global const int *restrict labels,
    global float *restrict loss, global float *restrict gradient) {
  THIS_ROW
  global const float *z = logits + (size_t)i * k;
  const int label = labels[i];
  const bool valid = label >= 0 && label < k;
  const int other = row_best(row, z, k, label);
  if (ROW_ITEM == 0) loss[i] = valid ? z[other] - z[label] : NAN;
  FOR_COLUMNS(j, k)
    gradient[(size_t)i * k + j] = !valid ? NAN : j == other ? 1.0f : j == label ? -1.0f : 0.0f;
}

// Class of the largest logit (the lowest on ties), the largest and the next largest logit.
kernel void top_two(
    const int n, const int k, global const float *restrict logits, global int *restrict index,
    global int *restrict second_index, global float *restrict first, global float *restrict second) {
  THIS_ROW
  global const float *z = logits + (size_t)i * k;
  const int a = row_best(row, z, k, -1), b = row_best(row, z, k, a);
  if (ROW_ITEM > 0) return;
  index[i] = a;
  second_index[i] = b;
  first[i] = z[a];
  second[i] = z[b < 0 ? a : b];
}

// dz = dy at the largest logit and, if `gap`, -dy at the next largest.
kernel void top_gradient(
    const int n, const int k, const int gap, global const int *restrict index,
    global const int *restrict second_index, global const float *restrict dy, global float *restrict dz) {
  THIS_ROW
  FOR_COLUMNS(j, k)
    dz[(size_t)i * k + j] = j == index[i] ? dy[i] : gap && j == second_index[i] ? -dy[i] : 0.0f;
}
