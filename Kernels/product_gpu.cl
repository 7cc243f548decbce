// Tiles of the GPU-shaped products C (rows x columns) = A B. A work group of ITEMS items computes TILE_M x TILE_N
// values, ITEM_M x ITEM_N per item in registers, from slices of A and B of depth TILE_K in local memory. A kernel says
// PRODUCT_TILE, sets up its operands, defines FETCH(start), which does LOAD_A(l, ..) and LOAD_B(l, ..) for all of an item's
// loads of the slice at depth `start`, and ROW_OFFSET(i), where row i of C begins, and includes product_body_gpu.cl.
// Slices are fetched in order.
//
// Macros of the host (ProductTile.swift), which guarantees that all of the divisions below leave no rest:
//   TILE_M, TILE_N, TILE_K   extents of a work group's tile and slice
//   ITEM_M, ITEM_N           extents of an item's register tile
//   VECTOR_A, VECTOR_B       values per global load: 1, 2 or 4, of bfloat16 also 8
//   A_ALONG, B_ALONG         1: neighbouring items read along rows of A^T or of B, 0: along the depth
//   VECTOR_C                 1: C is written by floats; else by vectors of RUN_N, and columns is a multiple of it
//   PAD                      floats between the rows of a slice in local memory, a multiple of 4
//   STAGES                   slices in local memory: 1, or 2 to save one of two barriers per slice; on matrix units also 3
//                            or 4, to which they are copied without registers, by vectors of at least four bytes
//   UNROLL                   depths per step of the inner loop
//   ITEMS                    TILE_M / ITEM_M * TILE_N / ITEM_N
//   OPERAND_BITS             32; or fewer for rounded operands on matrix units (mma_gpu.cl), where ITEM_M x ITEM_N is
//                            an item's share of a warp's tile, whose runs of C are of two values, and PAD and UNROLL
//                            mean nothing
#ifndef TILE_M
#define TILE_M 64
#define TILE_N 64
#define TILE_K 16
#define ITEM_M 4
#define ITEM_N 4
#define VECTOR_A 1
#define VECTOR_B 1
#define VECTOR_C 1
#define PAD 4
#define STAGES 2
#define UNROLL 4
#define ITEMS 256
#endif
#ifndef A_ALONG
#define A_ALONG 0
#endif
#ifndef B_ALONG
#define B_ALONG 1
#endif

// Items across and down a tile. An item's values lie in runs of up to four neighbours, so that local memory is read
// and C is written by vectors, and neighbouring items have neighbouring runs: free of conflicts, and coalesced.
#define ITEMS_N (TILE_N / ITEM_N)
#define RUN(count) ((count) % 4 == 0 ? 4 : (count) % 2 == 0 ? 2 : 1)
#define RUN_M RUN(ITEM_M)
#define RUN_N RUN(ITEM_N)
#define ROW_OF(p) (((p) / RUN_M * (TILE_M / ITEM_M) + item / ITEMS_N) * RUN_M + (p) % RUN_M)
#define COLUMN_OF(q) (((q) / RUN_N * ITEMS_N + item % ITEMS_N) * RUN_N + (q) % RUN_N)

// Which loads of a slice are an item's own: load l of A starts at row A_ROW(l) of the tile and depth A_DEPTH(l) of
// the slice, load l of B at column B_COLUMN(l) and depth B_DEPTH(l).
#define A_LINE (A_ALONG ? TILE_M / VECTOR_A : TILE_K / VECTOR_A)
#define B_LINE (B_ALONG ? TILE_N / VECTOR_B : TILE_K / VECTOR_B)
#define A_LOADS (TILE_M * TILE_K / (VECTOR_A * ITEMS))
#define B_LOADS (TILE_N * TILE_K / (VECTOR_B * ITEMS))
#define A_ROW(l) (A_ALONG ? item % A_LINE * VECTOR_A : item / A_LINE + (l) * (ITEMS / A_LINE))
#define A_DEPTH(l) (A_ALONG ? item / A_LINE + (l) * (ITEMS / A_LINE) : item % A_LINE * VECTOR_A)
#define B_COLUMN(l) (B_ALONG ? item % B_LINE * VECTOR_B : item / B_LINE + (l) * (ITEMS / B_LINE))
#define B_DEPTH(l) (B_ALONG ? item / B_LINE + (l) * (ITEMS / B_LINE) : item % B_LINE * VECTOR_B)

// The tile of a warp of 32 items on matrix units, 8 x 4 of them with ITEM_M x ITEM_N values each; the chunks of 16 bytes of a
// line of its slices, and the place of a load in them.
#define WARP_M (8 * ITEM_M)
#define WARP_N (4 * ITEM_N)
#define A_CHUNKS ((A_ALONG ? TILE_M : TILE_K) / (4 * VALUES))
#define B_CHUNKS ((B_ALONG ? TILE_N : TILE_K) / (4 * VALUES))
#define A_PLACE(l) slice_place(A_ALONG ? A_DEPTH(l) : A_ROW(l), A_ALONG ? A_ROW(l) : A_DEPTH(l), A_CHUNKS, A_ALONG)
#define B_PLACE(l) slice_place(B_ALONG ? B_DEPTH(l) : B_COLUMN(l), B_ALONG ? B_COLUMN(l) : B_DEPTH(l), B_CHUNKS, B_ALONG)

// Load l from `source`, zeros where it does not exist: copied to the slices a_ahead and b_ahead, or into registers.
#define COPIES_SLICES (OPERAND_BITS != 32 && STAGES > 2)
#if COPIES_SLICES
#define LOAD_A(l, source, exists) copy_ahead(a_ahead, A_PLACE(l), source, VECTOR_A * (int)sizeof(OPERAND), exists)
#define LOAD_B(l, source, exists) copy_ahead(b_ahead, B_PLACE(l), source, VECTOR_B * (int)sizeof(OPERAND), exists)
#define NEXT_LOADS
#else
#define LOAD_A(l, source, exists) read_global(a_next + (l) * VECTOR_A, source, VECTOR_A, exists)
#define LOAD_B(l, source, exists) read_global(b_next + (l) * VECTOR_B, source, VECTOR_B, exists)
#define NEXT_LOADS \
  OPERAND a_next[A_LOADS * VECTOR_A] __attribute__((aligned(16))), b_next[B_LOADS * VECTOR_B] __attribute__((aligned(16)));
#endif

// Names of a tile's place. Neighbouring work groups share rows of A.
#define PRODUCT_TILE(rows, columns) \
  const int product_rows = (rows), product_columns = (columns), item = get_local_id(0); \
  const int tiles_across = (product_columns + TILE_N - 1) / TILE_N; \
  const int row0 = get_group_id(0) / tiles_across * TILE_M; \
  const int column0 = get_group_id(0) % tiles_across * TILE_N; \
  NEXT_LOADS

// `count` values, 1, 2 or 4, of bfloat16 also 8, at an address that is a multiple of their size; zeros where they do not
// exist.
#if OPERAND_BITS == 16
inline void read_global(ushort *target, global const ushort *source, const int count, const bool exists) {
  if (count == 8) *(uint4 *)target = exists ? *(global const uint4 *)source : (uint4)(0);
  else if (count == 4) *(uint2 *)target = exists ? *(global const uint2 *)source : (uint2)(0);
  else if (count == 2) *(uint *)target = exists ? *(global const uint *)source : 0;
  else *target = exists ? *source : (ushort)0;
}
#else
inline void read_global(float *target, global const float *source, const int count, const bool exists) {
  if (count == 4) {
    const float4 v = exists ? *(global const float4 *)source : (float4)(0.0f);
    target[0] = v.x; target[1] = v.y; target[2] = v.z; target[3] = v.w;
  } else if (count == 2) {
    const float2 v = exists ? *(global const float2 *)source : (float2)(0.0f);
    target[0] = v.x; target[1] = v.y;
  } else {
    target[0] = exists ? *source : 0.0f;
  }
}
#endif

inline void read_local(float *target, local const float *source, const int count) {
  if (count == 4) {
    const float4 v = *(local const float4 *)source;
    target[0] = v.x; target[1] = v.y; target[2] = v.z; target[3] = v.w;
  } else if (count == 2) {
    const float2 v = *(local const float2 *)source;
    target[0] = v.x; target[1] = v.y;
  } else {
    target[0] = *source;
  }
}

inline void write_local(local float *target, const float *source, const int count) {
  if (count == 4) *(local float4 *)target = (float4)(source[0], source[1], source[2], source[3]);
  else if (count == 2) *(local float2 *)target = (float2)(source[0], source[1]);
  else *target = source[0];
}

// An item's loads of a slice into local memory, [depth][stride].
inline void write_slice(
    local float *tile, const float *next, const int loads, const int vector, const bool along, const int stride,
    const int first, const int step) {
  #pragma unroll
  for (int l = 0; l < loads; l++) {
    local float *target = tile + first + l * step;
    const float *source = next + l * vector;
    if (along) write_local(target, source, vector);
    else {
      // No loop: compilers keep arrays in registers only where every index is a constant early on.
      target[0] = source[0];
      if (vector > 1) target[stride] = source[1];
      if (vector > 2) {
        target[2 * stride] = source[2];
        target[3 * stride] = source[3];
      }
    }
  }
}

// Element (e, d) of a matrix operand is at e * line + d * step. Places of an item's loads, at depth 0 of a slice;
// beyond the last line the last one is read again, whose products nobody stores.
inline int matrix_place(const int e, const int d, const int extent, const int vector, const int line, const int step) {
  return min(e, extent - vector) * line + d * step;
}
