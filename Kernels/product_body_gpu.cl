#if OPERAND_BITS == 32
  // The body of a GPU-shaped product; see product_gpu.cl. The kernel has defined FETCH(start), ROW_OFFSET(i), `first` and
  // `last` (the depths of this work group), `end` (the epilogue) and `target` (C). While a slice is multiplied, the
  // loads of the next one are under way into registers.
  local float a_tile[STAGES * TILE_K * (TILE_M + PAD)] __attribute__((aligned(16)));
  local float b_tile[STAGES * TILE_K * (TILE_N + PAD)] __attribute__((aligned(16)));
  float sum[ITEM_M][ITEM_N];
  #pragma unroll
  for (int p = 0; p < ITEM_M; p++)
    #pragma unroll
    for (int q = 0; q < ITEM_N; q++) sum[p][q] = 0.0f;
  int stage = 0;
  if (first < last) { FETCH(first) }
  for (int start = first; start < last; start += TILE_K) {
    local float *a = a_tile + stage * (TILE_K * (TILE_M + PAD)), *b = b_tile + stage * (TILE_K * (TILE_N + PAD));
    write_slice(
      a, a_next, A_LOADS, VECTOR_A, A_ALONG, TILE_M + PAD, A_DEPTH(0) * (TILE_M + PAD) + A_ROW(0),
      ITEMS / A_LINE * (A_ALONG ? TILE_M + PAD : 1));
    write_slice(
      b, b_next, B_LOADS, VECTOR_B, B_ALONG, TILE_N + PAD, B_DEPTH(0) * (TILE_N + PAD) + B_COLUMN(0),
      ITEMS / B_LINE * (B_ALONG ? TILE_N + PAD : 1));
    barrier(CLK_LOCAL_MEM_FENCE);
    if (start + TILE_K < last) { FETCH(start + TILE_K) }
    for (int block = 0; block < TILE_K; block += UNROLL) {
      #pragma unroll
      for (int d = 0; d < UNROLL; d++) {
        float av[ITEM_M], bv[ITEM_N];
        #pragma unroll
        for (int p = 0; p < ITEM_M; p += RUN_M) read_local(av + p, a + (block + d) * (TILE_M + PAD) + ROW_OF(p), RUN_M);
        #pragma unroll
        for (int q = 0; q < ITEM_N; q += RUN_N) read_local(bv + q, b + (block + d) * (TILE_N + PAD) + COLUMN_OF(q), RUN_N);
        #pragma unroll
        for (int p = 0; p < ITEM_M; p++)
          #pragma unroll
          for (int q = 0; q < ITEM_N; q++) sum[p][q] = fma(av[p], bv[q], sum[p][q]);
      }
    }
    // With two slices the next one goes where nobody reads any more: all items have passed the barrier above.
    if (STAGES == 2) stage ^= 1;
    else barrier(CLK_LOCAL_MEM_FENCE);
  }
  #pragma unroll
  for (int p = 0; p < ITEM_M; p++) {
    const int i = row0 + ROW_OF(p);
    if (i >= product_rows) continue;
    const size_t line = ROW_OFFSET(i);
    #pragma unroll
    for (int q = 0; q < ITEM_N; q += RUN_N) {
      const int j = column0 + COLUMN_OF(q);
      float out[4];
      #pragma unroll
      for (int v = 0; v < RUN_N; v++)
        out[v] = j + v < product_columns ? finish(end, sum[p][q + v], j + v, line + j + v) : 0.0f;
      if (VECTOR_C > 1 && j < product_columns) {
        if (RUN_N == 4) *(global float4 *)(target + line + j) = (float4)(out[0], out[1], out[2], out[3]);
        else *(global float2 *)(target + line + j) = (float2)(out[0], out[1]);
      } else {
        #pragma unroll
        for (int v = 0; v < RUN_N; v++)
          if (j + v < product_columns) target[line + j + v] = out[v];
      }
    }
  }
#else
#include "product_body_mma_gpu.cl"
#endif
