// Sums in a fixed order, the same on every device of one shape: groups of elements first, then the groups.

// Partial sums of x (count): item g adds elements g, g + groups, ... Global (groups).
kernel void sum_groups(
    const int count, const int groups, global const float *restrict x, global float *restrict partial) {
  const int g = get_global_id(0);
  if (g >= groups) return;
  float sum = 0.0f;
  for (int i = g; i < count; i += groups) sum += x[i];
  partial[g] = sum;
}

// out[0] = scale * (x[0] + x[1] + ...), by one item.
kernel void sum_all(
    const int count, const float scale, global const float *restrict x, global float *restrict out) {
  float sum = 0.0f;
  for (int i = 0; i < count; i++) sum += x[i];
  out[0] = sum * scale;
}

// Partial column sums of x (rows, columns): rows of group g into partial (groups, columns). Global (columns,
// groups).
kernel void column_sum_groups(
    const int rows, const int columns, const int groups, global const float *restrict x,
    global float *restrict partial) {
  const int j = get_global_id(0), g = get_global_id(1);
  if (j >= columns) return;
  const int first = (int)((long)rows * g / groups), last = (int)((long)rows * (g + 1) / groups);
  float sum = 0.0f;
  for (int i = first; i < last; i++) sum += x[(size_t)i * columns + j];
  partial[(size_t)g * columns + j] = sum;
}

// out[i] = sum of row i of x (rows, columns), or of its squares.
kernel void row_sums(
    const int rows, const int columns, const int squared, global const float *restrict x,
    global float *restrict out) {
  const int i = get_global_id(0);
  if (i >= rows) return;
  float sum = 0.0f;
  for (int j = 0; j < columns; j++) {
    const float v = x[(size_t)i * columns + j];
    sum = squared ? fma(v, v, sum) : sum + v;
  }
  out[i] = sum;
}

// out[i] = partial[0][i] + partial[1][i] + ...
kernel void sum_partials(
    const int count, const int chunks, global const float *restrict partial, global float *restrict out) {
  const int i = get_global_id(0);
  if (i >= count) return;
  float sum = 0.0f;
  for (int chunk = 0; chunk < chunks; chunk++) sum += partial[(size_t)chunk * count + i];
  out[i] = sum;
}
