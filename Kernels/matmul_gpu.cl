// Matrix products C (m x n) = A B, with bias (n, may be null) and ReLU, shaped for GPUs. A and B are read through a row
// and a column stride, so that transposes need no copy.
//   matmul_gpu  local memory, 64 x 64 per work group of 16 x 16; global (n, m) / 4, rounded up
#include "product_gpu.cl"

__attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
kernel void matmul_gpu(
    const int m, const int n, const int k, global const float *restrict a, const int a_row, const int a_column,
    global const float *restrict b, const int b_row, const int b_column, global const float *restrict bias,
    const int relu, global float *restrict c) {
#define LOAD_A(i, d) a[(size_t)(i) * a_row + (size_t)(d) * a_column]
#define LOAD_B(d, j) b[(size_t)(d) * b_row + (size_t)(j) * b_column]
#define STORE(i, j, value) \
  { float v = (value) + (bias ? bias[j] : 0.0f); c[(size_t)(i) * n + (j)] = relu && v < 0.0f ? 0.0f : v; }
  TILED_PRODUCT(m, n, 0, k, LOAD_A, LOAD_B, STORE)
#undef LOAD_A
#undef LOAD_B
#undef STORE
}
