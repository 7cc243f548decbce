// Tile of the GPU-shaped products: a work group of 16 x 16 items computes 64 x 64 values of C = A B, 4 x 4 per
// item, from slices of A and B of depth 16 in local memory.
#define TILE 64
#define DEPTH 16
#define SIDE 16
#define PART 4

// Body of a GPU-shaped product. LOAD_A(i, k) and LOAD_B(k, j) give one element and are called only inside
// the matrices; STORE(i, j, value) takes each result. Depths run from `first` to `last`.
#define TILED_PRODUCT(rows, columns, first, last, LOAD_A, LOAD_B, STORE) \
  local float a_tile[DEPTH][TILE + 1]; \
  local float b_tile[DEPTH][TILE + 1]; \
  const int lx = get_local_id(0), ly = get_local_id(1), item = ly * SIDE + lx; \
  const int row0 = get_group_id(1) * TILE, column0 = get_group_id(0) * TILE; \
  float sum[PART][PART]; \
  for (int p = 0; p < PART; p++) \
    for (int q = 0; q < PART; q++) sum[p][q] = 0.0f; \
  for (int start = (first); start < (last); start += DEPTH) { \
    for (int e = item; e < TILE * DEPTH; e += SIDE * SIDE) { \
      const int ai = row0 + e / DEPTH, ak = start + e % DEPTH; \
      a_tile[e % DEPTH][e / DEPTH] = ai < (rows) && ak < (last) ? LOAD_A(ai, ak) : 0.0f; \
      const int bj = column0 + e % TILE, bk = start + e / TILE; \
      b_tile[e / TILE][e % TILE] = bj < (columns) && bk < (last) ? LOAD_B(bk, bj) : 0.0f; \
    } \
    barrier(CLK_LOCAL_MEM_FENCE); \
    for (int k = 0; k < DEPTH; k++) { \
      float av[PART], bv[PART]; \
      for (int p = 0; p < PART; p++) av[p] = a_tile[k][ly + p * SIDE]; \
      for (int q = 0; q < PART; q++) bv[q] = b_tile[k][lx + q * SIDE]; \
      for (int p = 0; p < PART; p++) \
        for (int q = 0; q < PART; q++) sum[p][q] = fma(av[p], bv[q], sum[p][q]); \
    } \
    barrier(CLK_LOCAL_MEM_FENCE); \
  } \
  for (int p = 0; p < PART; p++) \
    for (int q = 0; q < PART; q++) { \
      const int i = row0 + ly + p * SIDE, j = column0 + lx + q * SIDE; \
      if (i < (rows) && j < (columns)) STORE(i, j, sum[p][q]); \
    }
