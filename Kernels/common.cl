// In front of every program: what several families share. OpenCL C 1.2, no extensions.

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

// CPU-shaped products: one item computes ROWS x PANEL values with two float16 per row; B lies in zero-padded
// panels of PANEL columns, [panel][depth][PANEL].
#define ROWS 8
#define PANEL 32

// Stores 32 values of one row, as far as the row reaches, after bias and ReLU.
inline void store_panel(
    float16 v0, float16 v1, global float *target, int count, global const float *bias, int relu) {
  if (count >= PANEL) {
    if (bias) { v0 += vload16(0, bias); v1 += vload16(1, bias); }
    if (relu) { v0 = select(v0, (float16)(0.0f), v0 < (float16)(0.0f)); v1 = select(v1, (float16)(0.0f), v1 < (float16)(0.0f)); }
    vstore16(v0, 0, target);
    vstore16(v1, 1, target);
    return;
  }
  float values[PANEL];
  vstore16(v0, 0, values);
  vstore16(v1, 1, values);
  for (int j = 0; j < count; j++) {
    float v = values[j] + (bias ? bias[j] : 0.0f);
    target[j] = relu && v < 0.0f ? 0.0f : v;
  }
}

// Philox4x32-10: four random words from a counter and a key. Element i of a stream is word i & 3 of the block
// with the counter (i >> 2, sample, epoch, purpose).
inline uint4 philox(uint4 c, uint2 k) {
  for (int round = 0; round < 10; round++) {
    const uint a_high = mul_hi(0xD2511F53u, c.x), a_low = 0xD2511F53u * c.x;
    const uint b_high = mul_hi(0xCD9E8D57u, c.z), b_low = 0xCD9E8D57u * c.z;
    c = (uint4)(b_high ^ c.y ^ k.x, b_low, a_high ^ c.w ^ k.y, a_low);
    k += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

inline uint philox_word(uint index, uint sample, uint epoch, uint purpose, uint seed_low, uint seed_high) {
  uint words[4];  // not a choice of components, which Oclgrind 21.10 gets wrong
  vstore4(philox((uint4)(index >> 2, sample, epoch, purpose), (uint2)(seed_low, seed_high)), 0, words);
  return words[index & 3u];
}

// Uniform in [0, 1): a multiple of 2^-24.
inline float philox_uniform(uint word) { return (float)(word >> 8) * 0x1p-24f; }
