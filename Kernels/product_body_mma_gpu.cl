  // The body of a GPU-shaped product on matrix units, in place of product_body_gpu.cl: same loads, names and epilogue, but
  // slices lie in local memory as mma_gpu.cl has them, and a warp of 32 items computes WARP_M x WARP_N values. With more than
  // two slices they form a ring: the copies of the next STAGES - 1 are under way while one is multiplied.
  const uint lane = item % 32, warp = item / 32;
  const uint warp_row = warp / (TILE_N / WARP_N) * WARP_M, warp_column = warp % (TILE_N / WARP_N) * WARP_N;
  const int a_words = TILE_M * TILE_K / VALUES, b_words = TILE_N * TILE_K / VALUES;
  local uint a_tile[STAGES * TILE_M * TILE_K / VALUES] __attribute__((aligned(16)));
  local uint b_tile[STAGES * TILE_N * TILE_K / VALUES] __attribute__((aligned(16)));
  EXCHANGE
  float sum[WARP_M / 16][WARP_N / 8][4];
  UNROLL_MMA
  for (int p = 0; p < WARP_M / 16; p++)
    UNROLL_MMA
    for (int q = 0; q < WARP_N / 8; q++)
      UNROLL_MMA
      for (int v = 0; v < 4; v++) sum[p][q][v] = 0.0f;
  int stage = 0;
#if COPIES_SLICES
  local uint *a_ahead = a_tile, *b_ahead = b_tile;
  #pragma unroll 1
  for (int start = first; start < first + (STAGES - 1) * TILE_K; start += TILE_K) {
    if (start < last) { FETCH(start) }
    COMMIT_COPIES
    a_ahead += a_words;
    b_ahead += b_words;
  }
#else
  if (first < last) { FETCH(first) }
#endif
  for (int start = first; start < last; start += TILE_K) {
    local uint *a = a_tile + stage * a_words, *b = b_tile + stage * b_words;
#if COPIES_SLICES
    // Behind the barrier everybody's share of this slice is there, and nobody reads the one before any more, whose place
    // the next copies take. A group is committed for every slice, so that counting them tells which have arrived.
    WAIT_FOR_COPIES
    barrier(CLK_LOCAL_MEM_FENCE);
    a_ahead = a_tile + (stage == 0 ? STAGES - 1 : stage - 1) * a_words;
    b_ahead = b_tile + (stage == 0 ? STAGES - 1 : stage - 1) * b_words;
    if (start + (STAGES - 1) * TILE_K < last) { FETCH(start + (STAGES - 1) * TILE_K) }
    COMMIT_COPIES
#else
    #pragma unroll
    for (int l = 0; l < A_LOADS; l++) write_values(a, A_PLACE(l), a_next + l * VECTOR_A, VECTOR_A);
    #pragma unroll
    for (int l = 0; l < B_LOADS; l++) write_values(b, B_PLACE(l), b_next + l * VECTOR_B, VECTOR_B);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (start + TILE_K < last) { FETCH(start + TILE_K) }
#endif
    UNROLL_MMA
    for (int d = 0; d < TILE_K; d += MMA_DEPTH) {
      uint av[WARP_M / 16][4], bv[WARP_N / 16][4];
      UNROLL_MMA
      for (int p = 0; p < WARP_M / 16; p++) READ_BLOCK(av[p], a, warp_row, 16 * p, d, A_ALONG, A_CHUNKS, 0)
      UNROLL_MMA
      for (int q = 0; q < WARP_N / 16; q++) READ_BLOCK(bv[q], b, warp_column, 16 * q, d, B_ALONG, B_CHUNKS, 1)
      UNROLL_MMA
      for (int p = 0; p < WARP_M / 16; p++)
        UNROLL_MMA
        for (int q = 0; q < WARP_N / 8; q++) MMA(sum[p][q], av[p], bv[q / 2][q % 2 * 2], bv[q / 2][q % 2 * 2 + 1]);
    }
    // With two slices or more the next one goes where nobody reads any more: all items have passed the barrier above.
    if (STAGES == 2) stage ^= 1;
    else if (STAGES > 2) stage = stage + 1 == STAGES ? 0 : stage + 1;
    else barrier(CLK_LOCAL_MEM_FENCE);
  }
  // The bias of two columns is read once.
  const Epilogue rest = {0, end.residual, end.mask, end.relu};
  size_t line[WARP_M / 8];
  UNROLL_MMA
  for (int p = 0; p < WARP_M / 8; p++) line[p] = ROW_OFFSET(row0 + (int)(warp_row + lane / 4) + 8 * p);
  UNROLL_MMA
  for (int q = 0; q < WARP_N / 8; q++) {
    const int j = column0 + warp_column + 8 * q + lane % 4 * 2;
    if (j >= product_columns) continue;
    const bool isPair = VECTOR_C > 1 || j + 1 < product_columns;
    const float bias0 = end.bias ? end.bias[j] : 0.0f, bias1 = end.bias && isPair ? end.bias[j + 1] : 0.0f;
    UNROLL_MMA
    for (int p = 0; p < WARP_M / 8; p++) {
      if (row0 + (int)(warp_row + lane / 4) + 8 * p >= product_rows) continue;
      const size_t at = line[p] + j;
      const float v0 = finish(rest, sum[p / 2][q][p % 2 * 2] + bias0, j, at);
      const float v1 = isPair ? finish(rest, sum[p / 2][q][p % 2 * 2 + 1] + bias1, j + 1, at + 1) : 0.0f;
      if (VECTOR_C > 1) *(global float2 *)(target + at) = (float2)(v0, v1);
      else {
        target[at] = v0;
        if (isPair) target[at + 1] = v1;
      }
    }
  }
