// Matrix products C (m x n) = A B, batched, shaped for GPUs; see product_gpu.cl. A and B are read through a row and a column
// stride, so that transposes need no copy. Deep products of few values are split over the depth: each part writes a
// partial result, and product_sum_gpu adds them in order.
#include "epilogue_gpu.cl"
#include "mma_gpu.cl"
#include "product_gpu.cl"

// A (batch, m, k), B (batch, k, n) by strides; C (batch, splits, m, n). The parts have `chunk` depths, a multiple of
// TILE_K. Global (ITEMS * tiles, 1, batch * splits), local (ITEMS, 1, 1).
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void matmul_gpu(
    const int m, const int n, const int k, const int splits, const int chunk, global const OPERAND *restrict a,
    const int a_row, const int a_column, const int a_batch, global const OPERAND *restrict b, const int b_row,
    const int b_column, const int b_batch, global const float *restrict bias, global const float *restrict residual,
    global const float *restrict mask, const int relu, global float *restrict c) {
  PRODUCT_TILE(m, n)
  const int layer = get_group_id(2), batch = layer / splits, first = layer % splits * chunk, last = min(first + chunk, k);
  global const OPERAND *a_start = a + (size_t)batch * a_batch, *b_start = b + (size_t)batch * b_batch;
  const size_t start_c = (size_t)layer * m * n;
  global float *target = c + start_c;
  const Epilogue end = {bias, residual ? residual + start_c : residual, mask ? mask + start_c : mask, relu};
  int a_place[A_LOADS], b_place[B_LOADS];
  #pragma unroll
  for (int l = 0; l < A_LOADS; l++)
    a_place[l] = matrix_place(row0 + A_ROW(l), A_DEPTH(l), m, A_ALONG ? VECTOR_A : 1, a_row, a_column);
  #pragma unroll
  for (int l = 0; l < B_LOADS; l++)
    b_place[l] = matrix_place(column0 + B_COLUMN(l), B_DEPTH(l), n, B_ALONG ? VECTOR_B : 1, b_column, b_row);
#define FETCH(start) \
  _Pragma("unroll") for (int l = 0; l < A_LOADS; l++) \
    LOAD_A(l, a_start + a_place[l] + (start) * a_column, (start) + A_DEPTH(l) < last); \
  _Pragma("unroll") for (int l = 0; l < B_LOADS; l++) \
    LOAD_B(l, b_start + b_place[l] + (start) * b_row, (start) + B_DEPTH(l) < last);
#define ROW_OFFSET(i) ((size_t)(i) * product_columns)
#include "product_body_gpu.cl"
#undef FETCH
#undef ROW_OFFSET
}

// c[layer][i] = partial[layer][0][i] + partial[layer][1][i] + ..., then the epilogue; c (layers, count) with `columns`
// columns. Global (count, layers).
kernel void product_sum_gpu(
    const int count, const int splits, const int columns, global const float *restrict partial,
    global const float *restrict bias, global const float *restrict residual, global const float *restrict mask,
    const int relu, global float *restrict c) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const size_t at = (size_t)get_global_id(1) * count + i;
  global const float *part = partial + (size_t)get_global_id(1) * splits * count + i;
  float sum = 0.0f;
  for (int s = 0; s < splits; s++) sum += part[(size_t)s * count];
  const Epilogue end = {bias, residual, mask, relu};
  c[at] = finish(end, sum, i % columns, at);
}
