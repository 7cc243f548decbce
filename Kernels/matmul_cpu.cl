// Matrix products C (m x n) = A B, with bias (n, may be null) and ReLU, shaped for CPU runtimes. A and B are read through a row
// and a column stride, so that transposes need no copy.
//   matmul_pack_cpu  B into panels; global (32, k, panels)
//   matmul_cpu       one item per 8 rows x 32 columns; global (ceil(m / 8), panels), local (1, 1)
#include "product_cpu.cl"

kernel void matmul_pack_cpu(
    const int k, const int n, global const float *restrict b, const int b_row, const int b_column,
    global float *restrict panels) {
  const int lane = get_global_id(0), d = get_global_id(1), panel = get_global_id(2);
  const int j = panel * PANEL + lane;
  panels[((size_t)panel * k + d) * PANEL + lane] = j < n ? b[(size_t)d * b_row + (size_t)j * b_column] : 0.0f;
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void matmul_cpu(
    const int m, const int n, const int k, global const float *restrict a, const int a_row, const int a_column,
    global const float *restrict panels, global const float *restrict bias, const int relu,
    global float *restrict c) {
  const int i0 = get_global_id(0) * ROWS, panel = get_global_id(1), j0 = panel * PANEL;
  global const float *b = panels + (size_t)panel * k * PANEL;
  global const float *rows[ROWS];
  float16 s0[ROWS], s1[ROWS];
  #pragma unroll
  for (int r = 0; r < ROWS; r++) {
    rows[r] = a + (size_t)min(i0 + r, m - 1) * a_row;
    s0[r] = (float16)(0.0f);
    s1[r] = (float16)(0.0f);
  }
  for (int d = 0; d < k; d++, b += PANEL) {
    const float16 b0 = vload16(0, b), b1 = vload16(1, b);
    #pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const float16 x = (float16)(rows[r][(size_t)d * a_column]);
      s0[r] = fma(x, b0, s0[r]);
      s1[r] = fma(x, b1, s1[r]);
    }
  }
  #pragma unroll
  for (int r = 0; r < ROWS; r++)
    if (i0 + r < m)
      store_panel(s0[r], s1[r], c + (size_t)(i0 + r) * n + j0, n - j0, bias ? bias + j0 : bias, relu);
}
