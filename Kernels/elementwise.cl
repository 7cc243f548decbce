// Operations on each element; see FOR_EACH. Every program takes time to compile: this one has other small families too.

kernel void add(const int count, global const float *restrict a, global const float *restrict b, global float *restrict c) {
  FOR_EACH(i, count) c[i] = a[i] + b[i];
}

kernel void add_rectified(
    const int count, global const float *restrict a, global const float *restrict b, global float *restrict c) {
  FOR_EACH(i, count) c[i] = a[i] + b[i] < 0.0f ? 0.0f : a[i] + b[i];
}

kernel void subtract(const int count, global const float *a, global const float *b, global float *c) {
  FOR_EACH(i, count) c[i] = a[i] - b[i];
}

kernel void multiply(const int count, global const float *a, global const float *b, global float *c) {
  FOR_EACH(i, count) c[i] = a[i] * b[i];
}

kernel void scale(const int count, const float factor, global const float *x, global float *y) {
  FOR_EACH(i, count) y[i] = x[i] * factor;
}

// y = x * factor[0] * multiplier: a gradient times an upstream scalar that never leaves the device.
kernel void scale_by_scalar(
    const int count, const float multiplier, global const float *factor, global const float *x, global float *y) {
  FOR_EACH(i, count) y[i] = x[i] * (factor[0] * multiplier);
}

// y[i] = factor[0] * multiplier for every element.
kernel void fill_from_scalar(
    const int count, const float multiplier, global const float *factor, global float *y) {
  FOR_EACH(i, count) y[i] = factor[0] * multiplier;
}

kernel void clamp_values(
    const int count, const float low, const float high, global const float *x, global float *y) {
  FOR_EACH(i, count) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

// dx = dy where x is inside the range, bounds included.
kernel void clamp_gradient(
    const int count, const float low, const float high, global const float *x, global const float *dy,
    global float *dx) {
  FOR_EACH(i, count) dx[i] = x[i] >= low && x[i] <= high ? dy[i] : 0.0f;
}

kernel void relu(const int count, global const float *x, global float *y) {
  FOR_EACH(i, count) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

// dx = dy where the output y is positive.
kernel void relu_gradient(const int count, global const float *y, global const float *dy, global float *dx) {
  FOR_EACH(i, count) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

// y = x + b over the last dimension (columns), then ReLU.
kernel void bias_add(
    const int count, const int columns, const int relu, global const float *x, global const float *b,
    global float *y) {
  FOR_EACH(i, count) {
    const float v = x[i] + b[(int)i % columns];
    y[i] = relu && v < 0.0f ? 0.0f : v;
  }
}

// Squares of a - b.
kernel void squared_difference(const int count, global const float *a, global const float *b, global float *c) {
  FOR_EACH(i, count) c[i] = (a[i] - b[i]) * (a[i] - b[i]);
}

// To bfloat16, to the nearest, ties to even; NaN stays one. For GPUs: four values per item, global (count / 4) rounded up.
inline uint to_bfloat16(const float x) {
  const uint bits = as_uint(x);
  return ((bits & 0x7FFFFFFFu) > 0x7F800000u ? bits | 0x400000u : bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

kernel void round_bfloat16(const int count, global const float *restrict x, global ushort *restrict y) {
  const size_t i = 4 * get_global_id(0);
  if (i + 4 <= count) {
    const float4 v = *(global const float4 *)(x + i);
    *(global uint2 *)(y + i) =
      (uint2)(to_bfloat16(v.x) | to_bfloat16(v.y) << 16, to_bfloat16(v.z) | to_bfloat16(v.w) << 16);
  } else {
    for (size_t j = i; j < count; j++) y[j] = to_bfloat16(x[j]);
  }
}

#include "optimizer.cl"
#include "reduction.cl"
#include "augmentation.cl"
#include "softmax.cl"
// Last, since it turns contraction off.
#include "attack.cl"
