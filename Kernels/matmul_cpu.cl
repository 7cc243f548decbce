// Matrix products C (m x n) = A B, with bias (n, may be null) and ReLU, shaped for CPU runtimes. A and B are read
// through a row and a column stride, so that transposes need no copy.
//   matmul_pack_cpu  B into panels; global (depths, panels)
//   matmul_cpu       one item per `rows` rows x all columns; global (ceil(m / rows), 1)

#include "product_cpu.cl"

kernel void matmul_pack_cpu(
    const int k, const int n, global const float *restrict b, const int b_row, const int b_column,
    global float *restrict panels) {
  const int d = get_global_id(0), panel = get_global_id(1), j0 = panel * PANEL;
  if (d >= k) return;
  global float *target = panels + ((size_t)panel * k + d) * PANEL;
  global const float *source = b + (size_t)d * b_row + (size_t)j0 * b_column;
  if (b_column == 1 && j0 + PANEL <= n) {
    STORE(LOAD(source), target);
    STORE(LOAD(source + VECTOR), target + VECTOR);
    return;
  }
  for (int j = 0; j < PANEL; j++) target[j] = j0 + j < n ? source[(size_t)j * b_column] : 0.0f;
}

// Packs `height` (at most HEIGHT) rows of A as [depth][HEIGHT], with zeros for missing rows. Of a transposed A that has
// `available` rows from here on whole vectors are copied, of which the next depth overwrites what is too much.
INLINE void pack_rows(
    global const float *a, const int row, const int column, int height, int available, int depth, local float *packed) {
  if (row == 1 && available >= (HEIGHT + VECTOR - 1) / VECTOR * VECTOR) {
    for (int d = 0; d < depth; d++)
      UNROLL for (int r = 0; r < HEIGHT; r += VECTOR)
        STORE(LOAD(a + (size_t)d * column + r), packed + d * HEIGHT + r);
    return;
  }
  // A cache line of a row at a time: rows often share cache sets.
  for (int d0 = 0; d0 < depth; d0 += 16)
    for (int r = 0; r < HEIGHT; r++) {
      global const float *values = a + (size_t)r * row + (size_t)d0 * column;
      local float *target = packed + d0 * HEIGHT + r;
      ROLLED for (int d = 0; d < min(16, depth - d0); d++)
        target[d * HEIGHT] = r < height ? values[(size_t)d * column] : 0.0f;
    }
}

// Whole tiles of a row-major A are read where they are, others from scratch: rows x depth_block + VECTOR floats, rows a
// multiple of HEIGHT.
APART void matmul_task(
    const int task, const int m, const int n, const int k, global const float *restrict a, const int a_row,
    const int a_column, global const float *restrict panels, global const float *restrict bias, const int finish,
    global float *restrict c, const int rows, const int depth_block, local float *scratch) {
  const int first = task * rows, count = min(rows, m - first);
  for (int d0 = 0; d0 < k; d0 += depth_block) {
    const int depth = min(depth_block, k - d0);
    global const float *block = a + (size_t)first * a_row + (size_t)d0 * a_column;
    const int in_place = a_column == 1 && (a_row % 256 != 0 || n < 24 * PANEL) ? count / HEIGHT * HEIGHT : 0;
    for (int i = in_place; i < count; i += HEIGHT)
      pack_rows(
          block + (size_t)i * a_row, a_row, a_column, min(HEIGHT, count - i), m - first - i, depth, scratch + i * depth);
    for (int j = 0; j < n; j += PANEL) {
      global const float *b = panels + (size_t)j * k + (size_t)d0 * PANEL;
      const VEC floor = least(d0 + depth == k ? finish : 0);
      const VEC bias0 = bias && d0 == 0 ? load_part(bias + j, n - j) : ZERO;
      const VEC bias1 = bias && d0 == 0 ? load_part(bias + j + VECTOR, n - j - VECTOR) : ZERO;
      for (int i = 0; i < count; i += HEIGHT) {
        TILE_SUMS(HEIGHT, bias0, bias1)
        global const float *tile = block + (size_t)i * a_row;
        local const float *packed = scratch + i * depth;
        if (i < in_place)
          TILE_PRODUCT_AHEAD(HEIGHT, tile, a_row, 1, b, PANEL, depth, b + (size_t)k * PANEL)
        else
          TILE_PRODUCT_AHEAD(HEIGHT, packed, 1, HEIGHT, b, PANEL, depth, b + (size_t)k * PANEL)
        UNROLL for (int r = 0; r < HEIGHT; r++)
          if (i + r < count) {
            global float *target = c + (size_t)(first + i + r) * n + j;
            if (d0 > 0) { ADD_ROW(s0[r], s1[r], target, n - j) }
            store_row(at_least(s0[r], floor), at_least(s1[r], floor), target, n - j, finish);
          }
      }
    }
  }
}

ONE_ITEM
kernel void matmul_cpu(
    const int m, const int n, const int k, global const float *restrict a, const int a_row, const int a_column,
    global const float *restrict panels, global const float *restrict bias, const int finish, global float *restrict c,
    const int rows, const int depth_block, local float *scratch) {
  matmul_task(
      get_group_id(0), m, n, k, a, a_row, a_column, panels, bias, finish, c, rows, depth_block, scratch);
}

// Other kernels of layers: a program of their own would take a tenth of a second more at a first use.
#include "normalization_cpu.cl"
#include "pooling_cpu.cl"
