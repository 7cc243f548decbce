// In front of every program: what several families share. OpenCL C 1.2, no extensions.

// What follows is done for each element i of `count`: by one item per element, or on a CPU runtime by items with
// ELEMENTS neighbours each, whose loops the compiler can turn into vectors.
#ifdef ELEMENTS
#define FOR_EACH(i, count) \
  const size_t end_ = min((size_t)(count), (get_global_id(0) + 1) * ELEMENTS); \
  for (size_t i = get_global_id(0) * ELEMENTS; i < end_; i++)
#else
#define FOR_EACH(i, count) \
  const size_t i = get_global_id(0); \
  if (i < (count))
#endif

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
