// Steps of projected gradient descent and their random starts. Linf results are equal to the CPU's bit for bit,
// hence no contraction.
#pragma OPENCL FP_CONTRACT OFF

// The largest float b <= a + e with b - a <= e exactly. With one rounding, a + e can only be too large by less
// than one unit in the last place; the error of the sum is exact in float (Knuth's two-sum).
inline float upper_bound(float a, float e) {
  const float sum = a + e, back = sum - a, error = (a - (sum - back)) + (e - back);
  return error < 0.0f && sum > 0.0f ? as_float(as_int(sum) - 1) : sum;
}

// The smallest float b >= a - e with a - b <= e exactly; b is clipped to 0 by the caller.
inline float lower_bound(float a, float e) {
  const float sum = a - e, back = sum - a, error = (a - (sum - back)) + (-e - back);
  return error > 0.0f && sum > 0.0f ? as_float(as_int(sum) + 1) : sum;
}

inline float project(float v, float original, float epsilon) {
  const float lower = lower_bound(original, epsilon), upper = upper_bound(original, epsilon);
  const float low = lower > 0.0f ? lower : 0.0f, high = upper < 1.0f ? upper : 1.0f;
  return v < low ? low : v > high ? high : v;
}

// x + step * sign(gradient), projected onto the ball around `original` and clipped to [0, 1]. A NaN gradient
// leaves the pixel.
kernel void pgd_step_linf(
    const int count, const float step, const float epsilon, global const float *restrict x,
    global const float *restrict original, global const float *restrict gradient, global float *restrict out) {
  FOR_EACH(i, count) {
    const float g = gradient[i], v = g > 0.0f ? x[i] + step : g < 0.0f ? x[i] - step : x[i];
    out[i] = project(v, original[i], epsilon);
  }
}

// original + U(-epsilon, epsilon), keyed by each sample's ID, projected and clipped. One item per four values of a
// sample, which one block of random words serves; global (n * ceil(size / 4)).
kernel void attack_start_linf(
    const int n, const int size, const float epsilon, const uint seed_low, const uint seed_high,
    const uint purpose, const uint epoch, global const int *restrict sample_ids,
    global const float *restrict original, global float *restrict out) {
  const int item = get_global_id(0), blocks = (size + 3) / 4, row = item / blocks, block = item % blocks;
  if (row >= n) return;
  uint words[4];
  vstore4(philox((uint4)(block, (uint)sample_ids[row], epoch, purpose), (uint2)(seed_low, seed_high)), 0, words);
  const size_t first = (size_t)row * size + 4 * block;
  for (int j = 0; j < 4; j++) {
    if (4 * block + j >= size) break;
    const float noise = (2.0f * philox_uniform(words[j]) - 1.0f) * epsilon;
    out[first + j] = project(original[first + j] + noise, original[first + j], epsilon);
  }
}

// Radius that perturbations are scaled to: below epsilon by what rounding can add, which is a few units of the
// length's sum and, for each of `size` pixels, half a unit in the last place of a number below 1.
inline float safe_radius(float epsilon, int size) {
  return fmax(0.0f, epsilon * (1.0f - 1e-5f) - sqrt((float)size) * 0x1p-25f);
}

inline float ball_factor(float norm, float radius) { return norm > radius ? radius / norm : 1.0f; }

// A scaled change of one pixel; clipping to [0, 1] only shortens it.
inline float on_ball(float original, float d, float factor) {
  const float v = original + d * factor;
  return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
}

// One item per sample of `size` values: x + step * gradient / |gradient|_2, projected onto the L2 ball and
// clipped. No step where the gradient is zero.
kernel void pgd_step_l2_cpu(
    const int n, const int size, const float step, const float epsilon, global const float *restrict x,
    global const float *restrict original, global const float *restrict gradient, global float *restrict out) {
  const int sample = get_global_id(0);
  if (sample >= n) return;
  const size_t o = (size_t)sample * size;
  float largest = 0.0f, square = 0.0f;
  for (int i = 0; i < size; i++) largest = fmax(largest, fabs(gradient[o + i]));
  const float inverse = largest > 0.0f ? 1.0f / largest : 0.0f;
  for (int i = 0; i < size; i++) square += (gradient[o + i] * inverse) * (gradient[o + i] * inverse);
  const float rate = square > 0.0f ? step / sqrt(square) * inverse : 0.0f;
  float norm = 0.0f;
  for (int i = 0; i < size; i++) {
    const float d = x[o + i] + rate * gradient[o + i] - original[o + i];
    norm += d * d;
  }
  const float factor = ball_factor(sqrt(norm), safe_radius(epsilon, size));
  for (int i = 0; i < size; i++)
    out[o + i] = on_ball(original[o + i], x[o + i] + rate * gradient[o + i] - original[o + i], factor);
}

#define GROUP 64

// Combines one value per item of a work group of 64; every item gets the result.
inline float group_combine(local float *scratch, float value, int maximum) {
  const int item = get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  scratch[item] = value;
  for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < half_size)
      scratch[item] = maximum ? fmax(scratch[item], scratch[item + half_size]) : scratch[item] + scratch[item + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return scratch[0];
}

// As pgd_step_l2_cpu with a work group of 64 per sample. Global (64 n), local (64).
__attribute__((reqd_work_group_size(GROUP, 1, 1)))
kernel void pgd_step_l2_gpu(
    const int n, const int size, const float step, const float epsilon, global const float *restrict x,
    global const float *restrict original, global const float *restrict gradient, global float *restrict out) {
  local float scratch[GROUP];
  const int item = get_local_id(0);
  const size_t o = (size_t)get_group_id(0) * size;
  float largest = 0.0f, square = 0.0f, norm = 0.0f;
  for (int i = item; i < size; i += GROUP) largest = fmax(largest, fabs(gradient[o + i]));
  largest = group_combine(scratch, largest, 1);
  const float inverse = largest > 0.0f ? 1.0f / largest : 0.0f;
  for (int i = item; i < size; i += GROUP) square += (gradient[o + i] * inverse) * (gradient[o + i] * inverse);
  square = group_combine(scratch, square, 0);
  const float rate = square > 0.0f ? step / sqrt(square) * inverse : 0.0f;
  for (int i = item; i < size; i += GROUP) {
    const float d = x[o + i] + rate * gradient[o + i] - original[o + i];
    norm += d * d;
  }
  const float factor = ball_factor(sqrt(group_combine(scratch, norm, 0)), safe_radius(epsilon, size));
  for (int i = item; i < size; i += GROUP)
    out[o + i] = on_ball(original[o + i], x[o + i] + rate * gradient[o + i] - original[o + i], factor);
}

inline float start_normal(uint i, uint sample, uint epoch, uint purpose, uint seed_low, uint seed_high) {
  const float u = 1.0f - philox_uniform(philox_word(2 * i, sample, epoch, purpose, seed_low, seed_high));
  const float v = philox_uniform(philox_word(2 * i + 1, sample, epoch, purpose, seed_low, seed_high));
  return sqrt(-2.0f * log(u)) * cos(6.28318530717958647692f * v);
}

// One item per sample: a point of the L2 ball, uniform (normal direction, radius epsilon * u^(1 / size)), clipped.
// Words 0 and 1 ... of the stream make the direction, word 2 * size the radius.
kernel void attack_start_l2(
    const int n, const int size, const float epsilon, const uint seed_low, const uint seed_high,
    const uint purpose, const uint epoch, global const int *restrict sample_ids,
    global const float *restrict original, global float *restrict out) {
  const int s = get_global_id(0);
  if (s >= n) return;
  const uint sample = (uint)sample_ids[s];
  const size_t o = (size_t)s * size;
  float square = 0.0f;
  for (int i = 0; i < size; i++) {
    const float z = start_normal((uint)i, sample, epoch, purpose, seed_low, seed_high);
    out[o + i] = z;
    square += z * z;
  }
  const float u = 1.0f - philox_uniform(philox_word(2u * (uint)size, sample, epoch, purpose, seed_low, seed_high));
  const float radius = safe_radius(epsilon, size) * pow(u, 1.0f / (float)size);
  const float factor = square > 0.0f ? radius / sqrt(square) : 0.0f;
  for (int i = 0; i < size; i++) out[o + i] = on_ball(original[o + i], out[o + i], factor);
}

// As attack_start_l2 with a work group of 64 per sample. Global (64 n), local (64).
__attribute__((reqd_work_group_size(GROUP, 1, 1)))
kernel void attack_start_l2_gpu(
    const int n, const int size, const float epsilon, const uint seed_low, const uint seed_high,
    const uint purpose, const uint epoch, global const int *restrict sample_ids,
    global const float *restrict original, global float *restrict out) {
  local float scratch[GROUP];
  const int item = get_local_id(0);
  const uint sample = (uint)sample_ids[get_group_id(0)];
  const size_t o = (size_t)get_group_id(0) * size;
  float square = 0.0f;
  for (int i = item; i < size; i += GROUP) {
    const float z = start_normal((uint)i, sample, epoch, purpose, seed_low, seed_high);
    out[o + i] = z;
    square += z * z;
  }
  square = group_combine(scratch, square, 0);
  const float u = 1.0f - philox_uniform(philox_word(2u * (uint)size, sample, epoch, purpose, seed_low, seed_high));
  const float radius = safe_radius(epsilon, size) * pow(u, 1.0f / (float)size);
  const float factor = square > 0.0f ? radius / sqrt(square) : 0.0f;
  for (int i = item; i < size; i += GROUP) out[o + i] = on_ball(original[o + i], out[o + i], factor);
}
