// Max pools over NHWC images (n, h, w, c), shaped for CPU runtimes: one item per row of the result, which takes a vector
// of channels at a time. pooling.cl says what is computed. Part of matmul_cpu.cl.

#define INTS JOIN(int, VECTOR)

INLINE void store_bytes(INTS v, global uchar *target, int count) {
  if (count >= VECTOR) {
    JOIN(vstore, VECTOR)(JOIN(convert_uchar, VECTOR)(v), 0, target);
    return;
  }
  int values[VECTOR];
  JOIN(vstore, VECTOR)(v, 0, values);
  for (int j = 0; j < count; j++) target[j] = (uchar)values[j];
}

INLINE INTS load_bytes(global const uchar *source, int count) {
  if (count >= VECTOR) return JOIN(convert_int, VECTOR)(JOIN(vload, VECTOR)(0, source));
  int values[VECTOR];
  for (int j = 0; j < VECTOR; j++) values[j] = j < count ? source[j] : 0;
  return JOIN(vload, VECTOR)(0, values);
}

// Global (oh, n).
ONE_ITEM
kernel void max_pool_cpu(
    const int h, const int w, const int c, const int oh, const int ow, const int size, const int stride,
    global const float *restrict x, global float *restrict y, global uchar *restrict winner) {
  const int row = get_group_id(0), image = get_group_id(1);
  for (int column = 0; column < ow; column++) {
    global const float *window = x + (((size_t)image * h + row * stride) * w + column * stride) * c;
    const size_t out = (((size_t)image * oh + row) * ow + column) * c;
    for (int j = 0; j < c; j += VECTOR) {
      VEC best = load_part(window + j, c - j);
      INTS at = (INTS)(0);
      for (int p = 1; p < size * size; p++) {
        const VEC v = load_part(window + ((size_t)(p / size) * w + p % size) * c + j, c - j);
        const INTS wins = v > best || v != v;
        best = wins ? v : best;
        at = wins ? (INTS)(p) : at;
      }
      store_part(best, y + out + j, c - j);
      store_bytes(at, winner + out + j, c - j);
    }
  }
}

// Global (h, n).
ONE_ITEM
kernel void max_pool_gradient_cpu(
    const int h, const int w, const int c, const int oh, const int ow, const int size, const int stride,
    global const float *restrict dy, global const uchar *restrict winner, global float *restrict dx) {
  const int row = get_group_id(0), image = get_group_id(1);
  const int first_y = max(0, (row - size + stride) / stride), last_y = min(oh - 1, row / stride);
  for (int column = 0; column < w; column++) {
    const int first_x = max(0, (column - size + stride) / stride), last_x = min(ow - 1, column / stride);
    for (int j = 0; j < c; j += VECTOR) {
      VEC sum = ZERO;
      for (int oy = first_y; oy <= last_y; oy++)
        for (int ox = first_x; ox <= last_x; ox++) {
          const int at = (row - oy * stride) * size + column - ox * stride;
          const size_t o = (((size_t)image * oh + oy) * ow + ox) * c + j;
          sum += load_bytes(winner + o, c - j) == (INTS)(at) ? load_part(dy + o, c - j) : ZERO;
        }
      store_part(sum, dx + (((size_t)image * h + row) * w + column) * c + j, c - j);
    }
  }
}
