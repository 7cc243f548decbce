// Instructions that Swift cannot name. Everything here is inlined into its caller.
#ifndef TEMPER_SIMD_INSTRUCTIONS_H
#define TEMPER_SIMD_INSTRUCTIONS_H

#define TEMPER_INLINE static inline __attribute__((always_inline, unused))

/// Asks for a cache line that will be needed soon, in the first-level cache. Any address is allowed.
TEMPER_INLINE void prefetch_near(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Asks for a cache line that will be needed a little later, in the second-level cache. Any address is allowed.
TEMPER_INLINE void prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

// Swift's own operators on SIMD types work lane by lane and rely on the optimizer to put the lanes together again,
// which it does in part. These are operations on whole vectors, of the width of the module that includes this.
#ifdef __AVX512F__
#define TEMPER_LANES 16
#else
#define TEMPER_LANES 8
#endif

// Without AVX a vector takes two registers. Nothing here is ever called, so that how it would be passed does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float temper_vector __attribute__((ext_vector_type(TEMPER_LANES)));
typedef int temper_bits __attribute__((ext_vector_type(TEMPER_LANES)));
typedef unsigned temper_numbers __attribute__((ext_vector_type(TEMPER_LANES)));

TEMPER_INLINE temper_vector vector_sum(temper_vector a, temper_vector b) { return a + b; }
TEMPER_INLINE temper_vector vector_difference(temper_vector a, temper_vector b) { return a - b; }
TEMPER_INLINE temper_vector vector_product(temper_vector a, temper_vector b) { return a * b; }
TEMPER_INLINE temper_vector vector_repeating(float x) { return (temper_vector)x; }

/// c + a * b, rounded once where the processor can.
TEMPER_INLINE temper_vector vector_multiply_add(temper_vector c, temper_vector a, temper_vector b) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_elementwise_fma(a, b, c);
#else
  return c + a * b;
#endif
}

/// `a` in the lanes where `mask` has all bits set, `b` where it has none.
TEMPER_INLINE temper_vector vector_select(temper_bits mask, temper_vector a, temper_vector b) {
  return (temper_vector)(((temper_bits)a & mask) | ((temper_bits)b & ~mask));
}

/// `floor` where v is less; NaN stays.
TEMPER_INLINE temper_vector vector_at_least(temper_vector v, temper_vector floor) {
  return vector_select(v < floor, floor, v);
}

/// v where `mask` is positive, else 0.
TEMPER_INLINE temper_vector vector_masked(temper_vector v, temper_vector mask) {
  return (temper_vector)((temper_bits)v & (mask > 0));
}

/// The lanes in which v is larger than `largest`, or NaN.
TEMPER_INLINE temper_bits vector_larger(temper_vector v, temper_vector largest) {
  return (v > largest) | (v != v);
}

/// `number` in the lanes of the mask, `numbers` in the others.
TEMPER_INLINE temper_numbers vector_select_number(temper_bits mask, unsigned number, temper_numbers numbers) {
  return ((temper_numbers)mask & number) | (numbers & ~(temper_numbers)mask);
}

/// Stores numbers below 256 as bytes.
TEMPER_INLINE void vector_store_bytes(unsigned char *address, temper_numbers numbers) {
  typedef unsigned char bytes __attribute__((ext_vector_type(TEMPER_LANES)));
  bytes narrow = __builtin_convertvector(numbers, bytes);
  __builtin_memcpy(address, &narrow, sizeof narrow);
}

/// v in the lanes whose byte is `number`, else 0.
TEMPER_INLINE temper_vector vector_where_byte(temper_vector v, const unsigned char *bytes, unsigned number) {
  typedef unsigned char narrow __attribute__((ext_vector_type(TEMPER_LANES)));
  narrow values;
  __builtin_memcpy(&values, bytes, sizeof values);
  return (temper_vector)((temper_bits)v & (__builtin_convertvector(values, temper_bits) == (int)number));
}

/// The sums of as many rows as a vector has values, each of a vector.
TEMPER_INLINE temper_vector vector_lane_sums(const float *rows) {
  temper_vector v[TEMPER_LANES];
  __builtin_memcpy(v, rows, sizeof v);
  // Neighbours are added, so that each vector holds sums of two, four and more rows side by side, in the rows' order.
#define TEMPER_HALVE(count) \
  for (int i = 0; i < count; i++) \
    v[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], TEMPER_EVEN) + __builtin_shufflevector(v[2 * i], v[2 * i + 1], TEMPER_ODD);
#if TEMPER_LANES == 16
#define TEMPER_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define TEMPER_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
  TEMPER_HALVE(8)
#else
#define TEMPER_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define TEMPER_ODD 1, 3, 5, 7, 9, 11, 13, 15
#endif
  TEMPER_HALVE(4)
  TEMPER_HALVE(2)
  TEMPER_HALVE(1)
#undef TEMPER_HALVE
#undef TEMPER_EVEN
#undef TEMPER_ODD
  return v[0];
}

// Vectors of one SSE register.
typedef float temper_quad __attribute__((ext_vector_type(4)));

TEMPER_INLINE temper_quad quad_repeating(float x) { return (temper_quad)x; }

/// The value of a lane in all lanes.
TEMPER_INLINE temper_quad quad_repeating_lane(temper_quad v, int lane) { return (temper_quad)v[lane]; }

/// c + a * b.
TEMPER_INLINE temper_quad quad_multiply_add(temper_quad c, temper_quad a, temper_quad b) {
#if defined(__SSE2__) && !defined(__AVX__)
  // The sum stays in its register: compilers let sums and products change places, with a copy each.
  __asm__("mulps %2, %1\n\taddps %1, %0" : "+x"(c), "+x"(a) : "x"(b));
  return c;
#else
  return c + a * b;
#endif
}

#ifdef __AVX512F__
// AVX512-BF16, which the module's flags do not name: only called where the processor has it.

/// c + the products of both halves of each pair of bfloat16; subnormal numbers count as 0.
TEMPER_INLINE temper_vector vector_multiply_add_pairs(temper_vector c, temper_vector a, temper_vector b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
  return c;
}

/// 32 values, rounded to bfloat16 in order: 16 pairs of neighbours.
TEMPER_INLINE temper_vector vector_pairs(temper_vector first, temper_vector second) {
  temper_vector pairs;
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(pairs) : "v"(first), "v"(second));
  return pairs;
}

/// Pairs of the same lane of two vectors, rounded to bfloat16.
TEMPER_INLINE temper_vector vector_pairs_of_lanes(temper_vector first, temper_vector second) {
  typedef short halves __attribute__((ext_vector_type(32)));
  halves values = (halves)vector_pairs(first, second);
  return (temper_vector)__builtin_shufflevector(
      values, values, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12,
      28, 13, 29, 14, 30, 15, 31);
}

/// The values whose bits are set, and 0.
TEMPER_INLINE temper_vector vector_load_masked(const float *from, unsigned short mask) {
  return __builtin_ia32_loadups512_mask(from, (temper_vector)0.0f, mask);
}

/// Stores the values whose bits are set.
TEMPER_INLINE void vector_store_masked(float *to, temper_vector values, unsigned short mask) {
  __builtin_ia32_storeups512_mask(to, values, mask);
}
#endif

#ifdef __AVX__
/// Stores past the caches, to an address that is a multiple of the vector's size.
TEMPER_INLINE void vector_stream(float *address, temper_vector values) {
  __builtin_nontemporal_store(values, (temper_vector *)address);
}
#endif

#endif
