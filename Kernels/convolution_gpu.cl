// Two-dimensional convolutions on NHWC images (n, h, w, c) with weights (r, s, c, k) and outputs (n, oh, ow, k), shaped
// for GPUs: implicit products (product_gpu.cl) whose rows are gathered from the images on the fly. Each item finds the
// pixels of its loads once; from slice to slice it only moves on its place (tap, channel) by additions.
//   convolution_gpu                  rows: output pixels; depth: (r, s, c); columns: k
//   convolution_input_gradient_gpu   rows: input pixels of one phase; depth: taps of the phase x k; columns: c
//   convolution_weight_gradient_gpu  rows: (r, s, c); depth: output pixels; columns: k
// Layers of work groups (dimension 2) are parts of the depth of `chunk` depths each, a multiple of TILE_K. With more than
// one part, each writes a partial result, and product_sum_gpu or sum_partials adds them in order.
#include "epilogue_gpu.cl"
#include "mma_gpu.cl"
#include "product_gpu.cl"

// A number of three digits, the place of a depth in (rows, columns, inner), and its sum with another one.
typedef struct { int row, column, inner; } Place;

inline Place place_of(const int d, const int columns, const int inner) {
  const Place place = {d / inner / columns, d / inner % columns, d % inner};
  return place;
}

inline Place moved(Place at, const Place by, const int columns, const int inner) {
  at.inner += by.inner;
  at.column += by.column;
  at.row += by.row;
  if (at.inner >= inner) { at.inner -= inner; at.column++; }
  if (at.column >= columns) { at.column -= columns; at.row++; }
  return at;
}

// Names for the gathering of A from images (.., h, w, c) by windows of taps (.., taps_s): the corner of the window of each
// load's pixel, whose row and column may lie outside of the image; `a_at` is the item's place in the window.
#define WINDOWS(taps_s) \
  int corner_y[A_LOADS], corner_x[A_LOADS], corner[A_LOADS]; \
  const Place a_step = place_of(TILE_K, taps_s, channels); \
  Place a_at = place_of(first + A_DEPTH(0), taps_s, channels);
#define CORNER(l, image, y, x) \
  corner_y[l] = (y); \
  corner_x[l] = (x); \
  corner[l] = (((image) * height + corner_y[l]) * width + corner_x[l]) * channels;
#define FETCH_WINDOWS(source, start, taps_s) \
  { \
    const int at = (a_at.row * width + a_at.column) * channels + a_at.inner; \
    const bool exists = (start) + A_DEPTH(0) < last; \
    _Pragma("unroll") for (int l = 0; l < A_LOADS; l++) \
      LOAD_A( \
        l, source + corner[l] + at, exists && (uint)(corner_y[l] + a_at.row) < (uint)height && \
        (uint)(corner_x[l] + a_at.column) < (uint)width); \
    a_at = moved(a_at, a_step, taps_s, channels); \
  }

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void convolution_gpu(
    const int n, const int height, const int width, const int channels, const int oh, const int ow, const int k,
    const int r, const int s, const int stride, const int padding, const int chunk, global const OPERAND *restrict x,
    global const OPERAND *restrict weights, global const float *restrict bias, global const float *restrict residual,
    global const float *restrict mask, const int relu, global float *restrict y) {
  PRODUCT_TILE(n * oh * ow, k)
  const int first = get_group_id(2) * chunk, last = min(first + chunk, r * s * channels);
  global float *target = y + (size_t)get_group_id(2) * product_rows * k;
  const Epilogue end = {bias, residual, mask, relu};
  WINDOWS(s)
  #pragma unroll
  for (int l = 0; l < A_LOADS; l++) {
    const int pixel = min(row0 + A_ROW(l), product_rows - 1), within = pixel % (oh * ow);
    CORNER(l, pixel / (oh * ow), within / ow * stride - padding, within % ow * stride - padding)
  }
  int b_place[B_LOADS];
  #pragma unroll
  for (int l = 0; l < B_LOADS; l++) b_place[l] = matrix_place(column0 + B_COLUMN(l), B_DEPTH(l), k, VECTOR_B, 1, k);
#define FETCH(start) \
  FETCH_WINDOWS(x, start, s) \
  _Pragma("unroll") for (int l = 0; l < B_LOADS; l++) \
    LOAD_B(l, weights + b_place[l] + (start) * k, (start) + B_DEPTH(l) < last);
#define ROW_OFFSET(i) ((size_t)(i) * k)
#include "product_body_gpu.cl"
#undef FETCH
#undef ROW_OFFSET
}

// The input pixels fall into stride x stride phases: those with (row + padding) % stride == phase_y see only the taps
// r = phase_y, phase_y + stride, ..., as a convolution of dy with stride 1. Taps run backwards, so that they move
// forwards in dy. Layers: part * stride * stride + phase. `height`, `width`, `channels` are those of dy; dx (n, h, w, c).
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void convolution_input_gradient_gpu(
    const int n, const int h, const int w, const int c, const int height, const int width, const int channels,
    const int r, const int s, const int stride, const int padding, const int chunk, global const OPERAND *restrict dy,
    global const OPERAND *restrict weights, global const float *restrict mask, global float *restrict dx) {
  const int phase = get_group_id(2) % (stride * stride), part = get_group_id(2) / (stride * stride);
  const int phase_y = phase / stride, phase_x = phase % stride;
  const int taps_r = (r - phase_y + stride - 1) / stride, taps_s = (s - phase_x + stride - 1) / stride;
  const int origin_y = (phase_y + stride - padding % stride) % stride;
  const int origin_x = (phase_x + stride - padding % stride) % stride;
  const int rows = (h - origin_y + stride - 1) / stride, across = (w - origin_x + stride - 1) / stride;
  PRODUCT_TILE(n * rows * across, c)
  if (row0 >= product_rows) return;
  const int first = part * chunk, last = min(first + chunk, taps_r * taps_s * channels);
  global float *target = dx + (size_t)part * n * h * w * c;
  const Epilogue end = {0, 0, mask, 0};
  WINDOWS(max(taps_s, 1))
  #pragma unroll
  for (int l = 0; l < A_LOADS; l++) {
    const int pixel = min(row0 + A_ROW(l), product_rows - 1), within = pixel % (rows * across);
    CORNER(
      l, pixel / (rows * across), within / across + (origin_y + padding) / stride - (taps_r - 1),
      within % across + (origin_x + padding) / stride - (taps_s - 1))
  }
  const Place b_step = place_of(TILE_K, max(taps_s, 1), channels);
  Place b_at = place_of(first + B_DEPTH(0), max(taps_s, 1), channels);
#define FETCH(start) \
  FETCH_WINDOWS(dy, start, taps_s) \
  { \
    const int tap = (phase_y + stride * (taps_r - 1 - b_at.row)) * s + phase_x + stride * (taps_s - 1 - b_at.column); \
    const bool exists = (start) + B_DEPTH(0) < last; \
    _Pragma("unroll") for (int l = 0; l < B_LOADS; l++) \
      LOAD_B(l, weights + (tap * c + min(column0 + B_COLUMN(l), c - 1)) * channels + b_at.inner, exists); \
    b_at = moved(b_at, b_step, taps_s, channels); \
  }
#define ROW_OFFSET(i) \
  (((size_t)((i) / across / rows * h + (i) / across % rows * stride + origin_y) * w + (i) % across * stride + origin_x) * c)
#include "product_body_gpu.cl"
#undef FETCH
#undef ROW_OFFSET
}

// A^T is gathered: items read neighbouring channels of one tap, and each of their loads walks over the output pixels.
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void convolution_weight_gradient_gpu(
    const int n, const int height, const int width, const int channels, const int oh, const int ow, const int k,
    const int r, const int s, const int stride, const int padding, const int chunk, global const OPERAND *restrict x,
    global const OPERAND *restrict dy, global float *restrict partial) {
  PRODUCT_TILE(r * s * channels, k)
  const int first = get_group_id(2) * chunk, last = min(first + chunk, n * oh * ow);
  global float *target = partial + (size_t)get_group_id(2) * product_rows * k;
  const Epilogue end = {0, 0, 0, 0};
  const Place tap = place_of(min(row0 + A_ROW(0), product_rows - VECTOR_A), s, channels);
  const Place a_step = place_of(TILE_K, oh, ow);
  Place a_at[A_LOADS];
  #pragma unroll
  for (int l = 0; l < A_LOADS; l++) a_at[l] = place_of(first + A_DEPTH(l), oh, ow);
  int b_place[B_LOADS];
  #pragma unroll
  for (int l = 0; l < B_LOADS; l++) b_place[l] = matrix_place(column0 + B_COLUMN(l), B_DEPTH(l), k, VECTOR_B, 1, k);
#define FETCH(start) \
  _Pragma("unroll") for (int l = 0; l < A_LOADS; l++) { \
    const int y = a_at[l].column * stride + tap.row - padding, z = a_at[l].inner * stride + tap.column - padding; \
    LOAD_A( \
      l, x + ((a_at[l].row * height + y) * width + z) * channels + tap.inner, \
      (start) + A_DEPTH(l) < last && (uint)y < (uint)height && (uint)z < (uint)width); \
    a_at[l] = moved(a_at[l], a_step, oh, ow); \
  } \
  _Pragma("unroll") for (int l = 0; l < B_LOADS; l++) \
    LOAD_B(l, dy + b_place[l] + (start) * k, (start) + B_DEPTH(l) < last);
#define ROW_OFFSET(i) ((size_t)(i) * k)
#include "product_body_gpu.cl"
#undef FETCH
#undef ROW_OFFSET
}
