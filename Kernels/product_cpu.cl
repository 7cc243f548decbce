// What the products shaped for CPU runtimes share: one work item computes tiles of HEIGHT x PANEL values with two
// vectors per row; B lies in zero-padded panels of PANEL columns, [panel][depth][PANEL]. Work groups have one item, and
// local memory is its scratch, which stays in the processor's second-level cache.
//
// VECTOR (4, 8 or 16) is the native width: a tile's sums, a row of B and one value of A fill the vector registers.

#ifndef VECTOR
#define VECTOR 16
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VEC JOIN(float, VECTOR)
#define LOAD(p) JOIN(vload, VECTOR)(0, p)
// The vstore of PoCL is several stores, which a load of the whole vector waits for.
#ifdef __clang__
typedef VEC VEC_ANYWHERE __attribute__((aligned(4)));
#define STORE_TO(space) \
  __attribute__((always_inline, overloadable)) inline void store_vector(VEC v, space float *p) { \
    *(space VEC_ANYWHERE *)p = v; \
  }
STORE_TO(global)
STORE_TO(local)
STORE_TO(private)
#define STORE(v, p) store_vector(v, p)
#else
#define STORE(v, p) JOIN(vstore, VECTOR)(v, 0, p)
#endif
#define ZERO ((VEC)(0.0f))
#define PANEL (2 * VECTOR)
// Rows of a tile: the highest that fits the registers, and a third of it for what is left over.
#if VECTOR == 16
#define HEIGHT 12
#else
#define HEIGHT 6
#endif
#define LOW (HEIGHT / 3)
#define ONE_ITEM __attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(VEC)))
#define UNROLL _Pragma("unroll")
// Runtimes compile kernels at their first use: code is repeated only where it pays. PoCL compiles the body of a kernel
// three times, but a function once if it asks for no ids: what an item does is a function, to which the kernel hands them.
#define ROLLED _Pragma("nounroll")
#define APART __attribute__((noinline))
#define INLINE __attribute__((always_inline)) inline

// Asks for `count` floats, for the first-level cache or the second, where the runtime is known to understand it (the host
// says so by CAN_PREFETCH).
#ifdef CAN_PREFETCH
#define PREFETCH(p, level) __builtin_prefetch((const void *)(size_t)(p), 0, level)
#else
#define PREFETCH(p, level)
#endif
INLINE void fetch(global const float *p, int count) {
  for (int i = 0; i < count; i += 16) PREFETCH(p + i, 3);
}
INLINE void fetch_near(global const float *p) { PREFETCH(p, 2); }

// What is done to results at last, as the host says it in an argument `finish`: set below 0 to 0, and stored past the
// caches where they are too large for these.
#define RELU 1
#define PAST_CACHES 2
#ifdef __has_builtin
#if __has_builtin(__builtin_nontemporal_store)
#define HAS_NONTEMPORAL_STORE
#endif
#endif
// Stores an aligned vector of a result.
INLINE void store_result(VEC v, global float *p, int finish) {
#ifdef HAS_NONTEMPORAL_STORE
  if (finish & PAST_CACHES) {
    __builtin_nontemporal_store(v, (global VEC *)p);
    return;
  }
#endif
  STORE(v, p);
}

// Declares the sums of a tile, which begin with the same two vectors in each row.
#define TILE_SUMS(height, v0, v1) \
  VEC s0[height], s1[height]; \
  UNROLL for (int z_ = 0; z_ < height; z_++) { s0[z_] = v0; s1[z_] = v1; }

// Adds the product of A, whose value for (row r, depth d) is a[r * row + d * step], with a panel of B, whose rows are
// b_row apart.
#define TILE_PRODUCT(height, a, row, step, b, b_row, depth) \
  for (int tp_d = 0; tp_d < (depth); tp_d++) { TILE_STEP(height, a, row, step, b, b_row, tp_d) }
#define TILE_STEP(height, a, row, step, b, b_row, d) \
  const VEC ts_b0 = LOAD((b) + (size_t)(d) * (b_row)), ts_b1 = LOAD((b) + (size_t)(d) * (b_row) + VECTOR); \
  TILE_ADD(height, (a)[(size_t)ts_r * (row) + (size_t)(d) * (step)])
// Adds the products of ts_b0 and ts_b1 with the value of each row ts_r.
#define TILE_ADD(height, value) \
  UNROLL for (int ts_r = 0; ts_r < height; ts_r++) { \
    const VEC ts_a = (VEC)(value); \
    s0[ts_r] = fma(ts_a, ts_b0, s0[ts_r]); \
    s1[ts_r] = fma(ts_a, ts_b1, s1[ts_r]); \
  }

// The same while asking for the next panel of B, a little with each depth.
#define TILE_PRODUCT_AHEAD(height, a, row, step, b, b_row, depth, next) \
  for (int ta_d = 0; ta_d < (depth); ta_d++) { \
    UNROLL for (int ta_f = 0; ta_f < PANEL; ta_f += 16) fetch_near((next) + (size_t)ta_d * (b_row) + ta_f); \
    TILE_STEP(height, a, row, step, b, b_row, ta_d) \
  }

// Covers `count` rows with tiles: TILE(height, i) handles `height` rows from row i on, of which at most LOW - 1 do not
// exist.
#define FOR_TILES(count, TILE) \
  { \
    int i_ = 0; \
    for (; (count) - i_ >= HEIGHT; i_ += HEIGHT) { TILE(HEIGHT, i_) } \
    for (; i_ < (count); i_ += LOW) { TILE(LOW, i_) } \
  }

// The least value of a result: 0 if it goes through a ReLU.
INLINE VEC least(int finish) { return (VEC)(finish & RELU ? 0.0f : -INFINITY); }
// Values below `floor` become `floor`; NaN stays.
INLINE VEC at_least(VEC v, VEC floor) { return v < floor ? floor : v; }

APART void store_some(VEC v, global float *target, int count) {
  float values[VECTOR];
  STORE(v, values);
  for (int j = 0; j < count; j++) target[j] = values[j];
}

APART VEC load_some(global const float *source, int count) {
  float values[VECTOR];
  for (int j = 0; j < VECTOR; j++) values[j] = j < count ? source[j] : 0.0f;
  return LOAD(values);
}

// Stores `count` (at most VECTOR) values of a vector.
INLINE void store_part(VEC v, global float *target, int count) {
  if (count >= VECTOR) {
    STORE(v, target);
  } else {
    store_some(v, target, count);
  }
}

// `count` (at most VECTOR) values, then zeros.
INLINE VEC load_part(global const float *source, int count) {
  return count >= VECTOR ? LOAD(source) : load_some(source, count);
}

// Less than a panel, apart from the loops that call it.
APART void store_short_row(VEC v0, VEC v1, global float *target, int count) {
  store_part(v0, target, count);
  store_part(v1, target + VECTOR, count - VECTOR);
}

// Stores `count` (at most PANEL) values of a row of a tile.
INLINE void store_row(VEC v0, VEC v1, global float *target, int count, int finish) {
  if (count >= PANEL) {
    store_result(v0, target, finish);
    store_result(v1, target + VECTOR, finish);
  } else {
    store_short_row(v0, v1, target, count);
  }
}

// Adds `count` (at most PANEL) values of a row of a result.
APART void add_short_row(VEC *v0, VEC *v1, global const float *target, int count) {
  *v0 += load_part(target, count);
  *v1 += load_part(target + VECTOR, count - VECTOR);
}
#define ADD_ROW(v0, v1, target, count) \
  if ((count) >= PANEL) { \
    v0 += LOAD(target); \
    v1 += LOAD((target) + VECTOR); \
  } else { \
    VEC ar_0 = v0, ar_1 = v1; \
    add_short_row(&ar_0, &ar_1, target, count); \
    v0 = ar_0; \
    v1 = ar_1; \
  }
