// Direct two-dimensional convolutions on NHWC images, shaped for CPU runtimes: one item per block of output rows of an
// image. It copies the rows of the image that it needs into local memory, padded, and multiplies them where they lie.
//   convolution_pack_cpu             weights into panels [panel][r][s][channels][PANEL]; global (depth, panels)
//   convolution_cpu                  global (blocks of rows, images)
// An input gradient with stride s is s * s convolutions of dy, one per phase of the pixels of dx, each with the taps that
// reach this phase.

#include "product_cpu.cl"
#include "images_cpu.cl"

// Taps (r, s) of weights (., width, c, k): tap (i, j) is the weights' (first_y + step * i, first_x + step * j); from c
// to k, or from k to c if transposed.
kernel void convolution_pack_cpu(
    const int r, const int s, const int first_y, const int first_x, const int step, const int width, const int c,
    const int k, const int transposed, global const float *restrict weights, global float *restrict panels) {
  const int inner = transposed ? k : c, columns = transposed ? c : k;
  const int d = get_global_id(0), panel = get_global_id(1), i = d % inner, tap = d / inner;
  if (tap >= r * s) return;
  const int ty = first_y + step * (tap / s), tx = first_x + step * (tap % s);
  global const float *source = weights + ((size_t)ty * width + tx) * c * k + (size_t)i * (transposed ? 1 : k);
  global float *target = panels + ((size_t)panel * r * s * inner + d) * PANEL;
  for (int l = 0; l < PANEL; l++) {
    const int j = panel * PANEL + l;
    target[l] = j < columns ? source[(size_t)j * (transposed ? k : 1)] : 0.0f;
  }
}

// Output pixels: (oh, ow) of this phase, which lie in y (n, full_h, full_w, k) `spread` apart from (offset_y,
// offset_x) on.
#define CONVOLVE_TILE(height, i) \
  { \
    TILE_SUMS(height, bias0, bias1) \
    UNROLL_TAPS for (int tap = 0; tap < TAP_ROWS; tap++) { \
      local const float *a_ = line + tap * width * c + (i) * PIXEL; \
      global const float *b_ = b + (size_t)tap * SEGMENT * PANEL; \
      TILE_PRODUCT(height, a_, PIXEL, 1, b_, PANEL, SEGMENT) \
    } \
    UNROLL for (int e = 0; e < height; e++) \
      if (TILES_ARE_WHOLE || (i) + e < ow) \
        store_row( \
            at_least(s0[e], floor), at_least(s1[e], floor), target + (size_t)((i) + e) * spread * k, k - j, finish); \
  }
#ifdef WEIGHTS_STAY
// All weights of a panel stay in registers; pixels follow each other.
#define TILES_ARE_WHOLE 1
#define FOR_COLUMNS(TILE) \
  _Pragma("nounroll") for (int i = 0; i < ow; i++) { \
    VEC s0 = bias0, s1 = bias1; \
    UNROLL for (int e = 0; e < TAP_ROWS * SEGMENT; e++) { \
      const VEC a_ = (VEC)(line[e / SEGMENT * width * c + i * PIXEL + e % SEGMENT]); \
      s0 = fma(a_, LOAD(b + e * PANEL), s0); \
      s1 = fma(a_, LOAD(b + e * PANEL + VECTOR), s1); \
    } \
    store_row(at_least(s0, floor), at_least(s1, floor), target + (size_t)i * spread * k, k - j, finish); \
  }
#elif defined(TILE_ROWS)
#define TILES_ARE_WHOLE 1
#define FOR_COLUMNS(TILE) for (int i_ = 0; i_ < ow; i_ += TILE_ROWS) TILE(TILE_ROWS, min(i_, ow - TILE_ROWS))
#else
#define TILES_ARE_WHOLE 0
#define FOR_COLUMNS(TILE) FOR_TILES(ow, TILE)
#endif

// scratch: ((rows - 1) * COPIED_STRIDE + r) * width * c floats, where width = (ow + LOW - 1) * COPIED_STRIDE + s.
APART void convolution_task(
    const int task, const int image, const int h, const int w, const int c, const int oh, const int ow,
    const int k, const int r, const int s, const int stride, const int pad_y, const int pad_x, const int full_h,
    const int full_w, const int spread, const int offset_y, const int offset_x, global const float *restrict x,
    global const float *restrict panels, global const float *restrict bias, const int finish, global float *restrict y,
    const int rows, local float *scratch) {
  const int first = task * rows, count = min(rows, oh - first);
  const int width = (ow + LOW - 1) * COPIED_STRIDE + s;
  copy_rows(
      x + (size_t)image * h * w * c, h, w, c, first * stride - pad_y, (count - 1) * COPIED_STRIDE + r, -pad_x, width,
      COPY_STEP, scratch);
  const VEC floor = least(finish);
  for (int j = 0; j < k; j += PANEL) {
    global const float *b = panels + (size_t)j * TAP_ROWS * SEGMENT;
    const VEC bias0 = bias ? load_part(bias + j, k - j) : ZERO;
    const VEC bias1 = bias ? load_part(bias + j + VECTOR, k - j - VECTOR) : ZERO;
    for (int row = 0; row < count; row++) {
      local const float *line = scratch + row * COPIED_STRIDE * width * c;
      global float *target = y
        + (((size_t)image * full_h + (first + row) * spread + offset_y) * full_w + offset_x) * k + j;
      FOR_COLUMNS(CONVOLVE_TILE)
    }
  }
}

ONE_ITEM
kernel void convolution_cpu(
    const int h, const int w, const int c, const int oh, const int ow, const int k, const int r, const int s,
    const int stride, const int pad_y, const int pad_x, const int full_h, const int full_w, const int spread,
    const int offset_y, const int offset_x, global const float *restrict x, global const float *restrict panels,
    global const float *restrict bias, const int finish, global float *restrict y, const int rows,
    local float *scratch) {
  convolution_task(
      get_group_id(0), get_group_id(1), h, w, c, oh, ow, k, r, s, stride, pad_y, pad_x, full_h, full_w, spread,
      offset_y, offset_x, x, panels, bias, finish, y, rows, scratch);
}

// One program, since each takes a tenth of a second more at a first use.
#include "convolution_weight_cpu.cl"
#include "convolution_gather_cpu.cl"
#include "convolution_scatter_cpu.cl"
