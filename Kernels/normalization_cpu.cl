// Batch norm over x (rows, c) and column sums, shaped for CPU runtimes: one item per range of rows, which it reads in
// order, a vector of channels at a time. The kernels of the same names in normalization.cl and reduction.cl say what is
// computed. Part of matmul_cpu.cl.

// For each vector of channels: its first, `at`, and how many of it exist, `left`.
#define FOR_CHANNELS(BODY) \
  for (int at = 0; at < c; at += VECTOR) { const int left = c - at; BODY }

// Rows of group g of `groups`.
#define GROUP_ROWS \
  const int g = get_group_id(0), groups = get_num_groups(0); \
  const int first = (int)((long)rows * g / groups), last = (int)((long)rows * (g + 1) / groups);

// Scratch: `sets` sums of whole vectors of channels.
#define CLEAR_SUMS(sums, sets) \
  const int width = (c + VECTOR - 1) / VECTOR * VECTOR; \
  for (int e = 0; e < (sets) * width; e += VECTOR) STORE(ZERO, (sums) + e);

#define ADD(target, value) STORE(LOAD(target) + (value), target)

ONE_ITEM
kernel void column_sum_groups_cpu(
    const int rows, const int c, global const float *restrict x, global float *restrict partial, local float *sums) {
  GROUP_ROWS
  CLEAR_SUMS(sums, 1)
  for (int i = first; i < last; i++) {
    global const float *row = x + (size_t)i * c;
    FOR_CHANNELS(ADD(sums + at, load_part(row + at, left));)
  }
  FOR_CHANNELS(store_part(LOAD(sums + at), partial + (size_t)g * c + at, left);)
}

ONE_ITEM
kernel void batch_norm_groups_cpu(
    const int rows, const int c, global const float *restrict x, global float *restrict means,
    global float *restrict squares, local float *sums) {
  GROUP_ROWS
  CLEAR_SUMS(sums, 2)
  for (int i = first; i < last; i++) {
    global const float *row = x + (size_t)i * c;
    FOR_CHANNELS(ADD(sums + at, load_part(row + at, left));)
  }
  const float share = last > first ? 1.0f / (float)(last - first) : 0.0f;
  FOR_CHANNELS(STORE(LOAD(sums + at) * share, sums + at);)
  for (int i = first; i < last; i++) {
    global const float *row = x + (size_t)i * c;
    FOR_CHANNELS(const VEC d = load_part(row + at, left) - LOAD(sums + at); ADD(sums + width + at, d * d);)
  }
  FOR_CHANNELS(
    store_part(LOAD(sums + at), means + (size_t)g * c + at, left);
    store_part(LOAD(sums + width + at), squares + (size_t)g * c + at, left);)
}

ONE_ITEM
kernel void batch_norm_gradient_groups_cpu(
    const int rows, const int c, global const float *restrict x, global const float *restrict dy,
    global const float *restrict mean, global const float *restrict inverse, global float *restrict shifts,
    global float *restrict scales, local float *sums) {
  GROUP_ROWS
  CLEAR_SUMS(sums, 2)
  for (int i = first; i < last; i++) {
    const size_t row = (size_t)i * c;
    FOR_CHANNELS(
      const VEC d = load_part(dy + row + at, left);
      const VEC centred = load_part(x + row + at, left) - load_part(mean + at, left);
      ADD(sums + at, d);
      ADD(sums + width + at, d * centred * load_part(inverse + at, left));)
  }
  FOR_CHANNELS(
    store_part(LOAD(sums + at), shifts + (size_t)g * c + at, left);
    store_part(LOAD(sums + width + at), scales + (size_t)g * c + at, left);)
}

ONE_ITEM
kernel void batch_norm_apply_cpu(
    const int rows, const int c, const int relu, global const float *restrict x, global const float *restrict mean,
    global const float *restrict inverse, global const float *restrict scale, global const float *restrict shift,
    global const float *restrict residual, global float *restrict y) {
  GROUP_ROWS
  const VEC floor = least(relu);
  for (int i = first; i < last; i++) {
    const size_t row = (size_t)i * c;
    FOR_CHANNELS(
      VEC v = (load_part(x + row + at, left) - load_part(mean + at, left)) * load_part(inverse + at, left);
      v = v * load_part(scale + at, left) + load_part(shift + at, left);
      if (residual) v += load_part(residual + row + at, left);
      store_part(at_least(v, floor), y + row + at, left);)
  }
}

ONE_ITEM
kernel void batch_norm_input_gradient_cpu(
    const int rows, const int c, const float inverse_rows, global const float *restrict x,
    global const float *restrict dy, global const float *restrict mean, global const float *restrict inverse,
    global const float *restrict scale, global const float *restrict dshift, global const float *restrict dscale,
    global float *restrict dx) {
  GROUP_ROWS
  for (int i = first; i < last; i++) {
    const size_t row = (size_t)i * c;
    FOR_CHANNELS(
      const VEC factor = load_part(inverse + at, left);
      const VEC normal = (load_part(x + row + at, left) - load_part(mean + at, left)) * factor;
      const VEC common = (load_part(dshift + at, left) + normal * load_part(dscale + at, left)) * inverse_rows;
      store_part((load_part(dy + row + at, left) - common) * (load_part(scale + at, left) * factor), dx + row + at, left);)
  }
}
