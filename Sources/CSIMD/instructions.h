// Instructions that Swift cannot name. Everything here is inlined into its caller.
#ifndef TEMPER_SIMD_INSTRUCTIONS_H
#define TEMPER_SIMD_INSTRUCTIONS_H

#define TEMPER_INLINE static inline __attribute__((always_inline, unused))

/// Asks for a cache line that will be needed soon, in the first-level cache. Any address is allowed.
TEMPER_INLINE void prefetch_near(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Asks for a cache line that will be needed a little later, in the second-level cache. Any address is allowed.
TEMPER_INLINE void prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

#ifdef __AVX__
typedef float temper_float8 __attribute__((ext_vector_type(8)));

/// Stores past the caches, to an address that is a multiple of 32 bytes.
TEMPER_INLINE void stream_8(float *address, temper_float8 values) {
  __builtin_nontemporal_store(values, (temper_float8 *)address);
}
#endif

#ifdef __AVX512F__
typedef float temper_float16 __attribute__((ext_vector_type(16)));

/// Stores past the caches, to an address that is a multiple of 64 bytes.
TEMPER_INLINE void stream_16(float *address, temper_float16 values) {
  __builtin_nontemporal_store(values, (temper_float16 *)address);
}
#endif

/// Makes streamed stores visible to other threads before anything that is stored later.
TEMPER_INLINE void stream_end(void) {
#ifdef __SSE__
  __builtin_ia32_sfence();
#endif
}

#endif
