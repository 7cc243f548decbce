// Random numbers of one stream (seed, purpose, epoch, sample), element by element; global (count) rounded up.
// Uniform values are equal to the host's bit for bit, hence no contraction.
#pragma OPENCL FP_CONTRACT OFF

kernel void random_uniform(
    const int count, const float low, const float high, const uint seed_low, const uint seed_high,
    const uint purpose, const uint epoch, const uint sample, global float *restrict out) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const float u = philox_uniform(philox_word((uint)i, sample, epoch, purpose, seed_low, seed_high));
  const float step = (high - low) * u;
  out[i] = low + step;
}

// Standard normal values (Box and Muller 1958): elements 2 i and 2 i + 1 of the stream make value i.
inline float normal_value(uint i, uint sample, uint epoch, uint purpose, uint seed_low, uint seed_high) {
  const float u = 1.0f - philox_uniform(philox_word(2 * i, sample, epoch, purpose, seed_low, seed_high));
  const float v = philox_uniform(philox_word(2 * i + 1, sample, epoch, purpose, seed_low, seed_high));
  return sqrt(-2.0f * log(u)) * cos(6.28318530717958647692f * v);
}

kernel void random_normal(
    const int count, const float mean, const float deviation, const uint seed_low, const uint seed_high,
    const uint purpose, const uint epoch, const uint sample, global float *restrict out) {
  const int i = get_global_id(0);
  if (i < count) out[i] = mean + deviation * normal_value((uint)i, sample, epoch, purpose, seed_low, seed_high);
}
