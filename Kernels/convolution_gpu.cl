// Two-dimensional convolutions on NHWC images (n, h, w, c) with weights (r, s, c, k) and outputs (n, oh, ow, k), shaped
// for GPUs: implicit products whose images are gathered on the fly into local memory; work groups of 16 x 16 items
// compute 64 x 64 values. Weight gradients are sums over all pixels, which are split into chunks, each with its own
// partial result, which sum_partials adds in order.
#include "product_gpu.cl"

// Coordinates of output pixel p and of tap d, which runs over (r, s, channel).
#define DECODE_PIXEL(p, height, width) \
  const int image = (p) / ((height) * (width)), within = (p) % ((height) * (width)); \
  const int row = within / (width), column = within % (width);
#define DECODE_TAP(d, channels) \
  const int channel = (d) % (channels), tap = (d) / (channels), tap_r = tap / s, tap_s = tap % s;

inline float gather(
    global const float *x, int p, int d, int h, int w, int c, int oh, int ow, int s, int stride, int padding) {
  DECODE_PIXEL(p, oh, ow)
  DECODE_TAP(d, c)
  const int y = row * stride + tap_r - padding, z = column * stride + tap_s - padding;
  if (y < 0 || y >= h || z < 0 || z >= w) return 0.0f;
  return x[(((size_t)image * h + y) * w + z) * c + channel];
}

__attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
kernel void convolution_gpu(
    const int n, const int h, const int w, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int padding, global const float *restrict x,
    global const float *restrict weights, global const float *restrict bias, const int relu,
    global float *restrict y) {
#define LOAD_A(i, d) gather(x, i, d, h, w, c, oh, ow, s, stride, padding)
#define LOAD_B(d, j) weights[(size_t)(d) * k + (j)]
#define STORE(i, j, value) \
  { float v = (value) + (bias ? bias[j] : 0.0f); y[(size_t)(i) * k + (j)] = relu && v < 0.0f ? 0.0f : v; }
  TILED_PRODUCT(n * oh * ow, k, 0, r * s * c, LOAD_A, LOAD_B, STORE)
#undef LOAD_A
#undef LOAD_B
#undef STORE
}

// dy at the output pixel that input pixel p reached through tap d, or 0.
inline float gather_gradient(
    global const float *dy, int p, int d, int h, int w, int oh, int ow, int k, int s, int stride, int padding) {
  DECODE_PIXEL(p, h, w)
  DECODE_TAP(d, k)
  const int y = row + padding - tap_r, z = column + padding - tap_s;
  if (y < 0 || z < 0 || y % stride != 0 || z % stride != 0) return 0.0f;
  const int oy = y / stride, oz = z / stride;
  if (oy >= oh || oz >= ow) return 0.0f;
  return dy[(((size_t)image * oh + oy) * ow + oz) * k + channel];
}

__attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
kernel void convolution_input_gradient_gpu(
    const int n, const int h, const int w, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int padding, global const float *restrict dy,
    global const float *restrict weights, global float *restrict dx) {
#define LOAD_A(i, d) gather_gradient(dy, i, d, h, w, oh, ow, k, s, stride, padding)
#define LOAD_B(d, j) weights[((size_t)((d) / k) * c + (j)) * k + (d) % k]
#define STORE(i, j, value) dx[(size_t)(i) * c + (j)] = (value)
  TILED_PRODUCT(n * h * w, c, 0, r * s * k, LOAD_A, LOAD_B, STORE)
#undef LOAD_A
#undef LOAD_B
#undef STORE
}

// One work group layer (dimension 2) per chunk of `chunk` output pixels.
__attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
kernel void convolution_weight_gradient_gpu(
    const int n, const int h, const int w, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int padding, const int chunk, global const float *restrict x,
    global const float *restrict dy, global float *restrict partial) {
  const int begin = get_group_id(2) * chunk, end = min(begin + chunk, n * oh * ow);
  global float *target = partial + (size_t)get_group_id(2) * r * s * c * k;
#define LOAD_A(i, d) gather(x, d, i, h, w, c, oh, ow, s, stride, padding)
#define LOAD_B(d, j) dy[(size_t)(d) * k + (j)]
#define STORE(i, j, value) target[(size_t)(i) * k + (j)] = (value)
  TILED_PRODUCT(r * s * c, k, begin, end, LOAD_A, LOAD_B, STORE)
#undef LOAD_A
#undef LOAD_B
#undef STORE
}
