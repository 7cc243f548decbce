// Two-dimensional convolutions on NHWC images (n, h, w, c) with weights (r, s, c, k) and outputs (n, oh, ow, k), shaped
// for CPU runtimes: one item per 8 pixels x 32 channels on images with their padding in memory (pad_images), weights in
// panels of 32 filters, [panel][r][s][c][32]. Weight gradients are sums over all images, which are split into chunks,
// each with its own partial result, which sum_partials adds in order.
#include "product_cpu.cl"

// Images (n, h, w, c) into (n, ph, pw, c): pixel (y, x) goes to (y * dilation + offset, x * dilation + offset),
// zero elsewhere. Global (pw * c, ph, n).
kernel void pad_images(
    const int h, const int w, const int c, const int ph, const int pw, const int offset_y, const int offset_x,
    const int dilation, global const float *restrict x, global float *restrict out) {
  const int e = get_global_id(0), py = get_global_id(1), image = get_global_id(2);
  const int px = e / c, channel = e % c, y = py - offset_y, z = px - offset_x;
  const bool inside = y >= 0 && z >= 0 && y % dilation == 0 && z % dilation == 0 && y / dilation < h
    && z / dilation < w;
  out[(((size_t)image * ph + py) * pw + px) * c + channel] =
    inside ? x[(((size_t)image * h + y / dilation) * w + z / dilation) * c + channel] : 0.0f;
}

// Weights (r, s, c, k) into panels of 32: as they are, or rotated by 180 degrees with c and k exchanged for the
// input gradient. Global (32, depth, panels).
kernel void convolution_pack_cpu(
    const int taps, const int c, const int k, const int rotated, global const float *restrict weights,
    global float *restrict panels) {
  const int lane = get_global_id(0), d = get_global_id(1), panel = get_global_id(2);
  const int j = panel * PANEL + lane, inner = rotated ? k : c, columns = rotated ? c : k;
  const int tap = d / inner, i = d % inner;
  float value = 0.0f;
  if (j < columns)
    value = rotated ? weights[((size_t)(taps - 1 - tap) * c + j) * k + i] : weights[((size_t)tap * c + i) * k + j];
  panels[((size_t)panel * taps * inner + d) * PANEL + lane] = value;
}

// Padded images (n, ph, pw, c). Global (ceil(ow / 8), n * oh, panels).
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void convolution_cpu(
    const int ph, const int pw, const int c, const int oh, const int ow, const int k, const int r, const int s,
    const int stride, global const float *restrict x, global const float *restrict panels,
    global const float *restrict bias, const int relu, global float *restrict y) {
  const int x0 = get_global_id(0) * ROWS, line = get_global_id(1), panel = get_global_id(2), j0 = panel * PANEL;
  const int image = line / oh, row = line % oh;
  global const float *b = panels + (size_t)panel * r * s * c * PANEL;
  int pixel[ROWS];
  float16 s0[ROWS], s1[ROWS];
  #pragma unroll
  for (int i = 0; i < ROWS; i++) {
    pixel[i] = min(x0 + i, ow - 1) * stride * c;
    s0[i] = (float16)(0.0f);
    s1[i] = (float16)(0.0f);
  }
  for (int tap = 0; tap < r; tap++) {
    global const float *a = x + ((size_t)image * ph + row * stride + tap) * pw * c;
    for (int d = 0; d < s * c; d++, b += PANEL) {
      const float16 b0 = vload16(0, b), b1 = vload16(1, b);
      #pragma unroll
      for (int i = 0; i < ROWS; i++) {
        const float16 v = (float16)(a[pixel[i] + d]);
        s0[i] = fma(v, b0, s0[i]);
        s1[i] = fma(v, b1, s1[i]);
      }
    }
  }
  #pragma unroll
  for (int i = 0; i < ROWS; i++)
    if (x0 + i < ow)
      store_panel(
        s0[i], s1[i], y + ((size_t)line * ow + x0 + i) * k + j0, k - j0, bias ? bias + j0 : bias, relu);
}

// dy in panels [panel][pixel][32]. Global (r * s * ceil(c / 8), panels, chunks of `chunk` images).
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void convolution_weight_gradient_cpu(
    const int n, const int ph, const int pw, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int chunk, global const float *restrict x,
    global const float *restrict dy, global float *restrict partial) {
  const int tiles = (c + ROWS - 1) / ROWS, tap = get_global_id(0) / tiles, c0 = get_global_id(0) % tiles * ROWS;
  const int panel = get_global_id(1), first = get_global_id(2) * chunk, j0 = panel * PANEL;
  int channel[ROWS];
  float16 s0[ROWS], s1[ROWS];
  #pragma unroll
  for (int i = 0; i < ROWS; i++) {
    channel[i] = min(c0 + i, c - 1);
    s0[i] = (float16)(0.0f);
    s1[i] = (float16)(0.0f);
  }
  for (int image = first; image < min(first + chunk, n); image++)
    for (int row = 0; row < oh; row++) {
      global const float *a = x + (((size_t)image * ph + row * stride + tap / s) * pw + tap % s) * c;
      global const float *b = dy + (((size_t)panel * n + image) * oh + row) * ow * PANEL;
      for (int column = 0; column < ow; column++, a += stride * c, b += PANEL) {
        const float16 b0 = vload16(0, b), b1 = vload16(1, b);
        #pragma unroll
        for (int i = 0; i < ROWS; i++) {
          const float16 v = (float16)(a[channel[i]]);
          s0[i] = fma(v, b0, s0[i]);
          s1[i] = fma(v, b1, s1[i]);
        }
      }
    }
  global float *target = partial + (size_t)get_global_id(2) * r * s * c * k;
  #pragma unroll
  for (int i = 0; i < ROWS; i++)
    if (c0 + i < c)
      store_panel(s0[i], s1[i], target + ((size_t)tap * c + c0 + i) * k + j0, k - j0, 0, 0);
}
