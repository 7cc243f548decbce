// Direct two-dimensional convolutions on NHWC images, shaped for CPU runtimes: one item per block of output rows of an
// image. It copies the rows of the image that it needs into local memory, padded, and multiplies them where they lie.
//   convolution_pack_cpu             weights into panels [panel][r][s][channels][PANEL]; global (depth, panels)
//   convolution_cpu                  global (blocks of rows, images)
//   convolution_scatter_cpu          dx of few channels: each pixel of dy times all taps, added to the pixels they reach;
//                                    global (images)
//   convolution_weight_gradient_cpu  sums over chunks of images, which sum_partials adds; global (chunks, parts of the
//                                    panels)
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

// Of images for a single tap only the pixels that it sees are copied, next to each other: every COPY_STEP-th.
#define COPY_STEP (r == 1 && s == 1 ? stride : 1)
#define COPIED_STRIDE (stride / COPY_STEP)

// Kernels of few channels are specialised: SEGMENT is s * c, TAP_ROWS is r, PIXEL is stride * c, TILE_ROWS the height of all
// tiles, of which the last one may overlap the one before.
#ifndef PIXEL
#define PIXEL (COPIED_STRIDE * c)
#endif
#ifndef SEGMENT
#define SEGMENT (s * c)
#define TAP_ROWS r
#define UNROLL_TAPS
#else
#define UNROLL_TAPS UNROLL
#endif

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
            at_least(s0[e], floor), at_least(s1[e], floor), target + (size_t)((i) + e) * spread * k, k - j); \
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
    store_row(at_least(s0, floor), at_least(s1, floor), target + (size_t)i * spread * k, k - j); \
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
    global const float *restrict panels, global const float *restrict bias, const int relu, global float *restrict y,
    const int rows, local float *scratch) {
  const int first = task * rows, count = min(rows, oh - first);
  const int width = (ow + LOW - 1) * COPIED_STRIDE + s;
  copy_rows(
      x + (size_t)image * h * w * c, h, w, c, first * stride - pad_y, (count - 1) * COPIED_STRIDE + r, -pad_x, width,
      COPY_STEP, scratch);
  const VEC floor = least(relu);
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
    global const float *restrict bias, const int relu, global float *restrict y, const int rows,
    local float *scratch) {
  convolution_task(
      get_group_id(0), get_group_id(1), h, w, c, oh, ow, k, r, s, stride, pad_y, pad_x, full_h, full_w, spread,
      offset_y, offset_x, x, panels, bias, relu, y, rows, scratch);
}

// Weights in panels [panel][k][PANEL] of columns (r, s, c); products [pixel][columns]; ow is at least HEIGHT. scratch:
// (h + 2 padding) * (w + 2 padding) * c floats for dx with its padding, and ow * columns.
APART void convolution_scatter_task(
    const int image, const int h, const int w, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int padding, global const float *restrict dy,
    global const float *restrict panels, global const float *restrict mask, global float *restrict dx,
    local float *scratch) {
  const int width = w + 2 * padding, frame = (h + 2 * padding) * width * c;
  const int columns = (r * s * c + PANEL - 1) / PANEL * PANEL;
  local float *products = scratch + frame;
  for (int e = 0; e < frame; e++) scratch[e] = 0.0f;
  for (int row = 0; row < oh; row++) {
    global const float *line = dy + ((size_t)image * oh + row) * ow * k;
    for (int j = 0; j < columns; j += PANEL) {
      global const float *b = panels + (size_t)j * k;
      for (int i = 0; i < ow; i += HEIGHT) {
        const int start = min(i, ow - HEIGHT);  // the last tile may overlap the one before
        TILE_SUMS(HEIGHT, ZERO, ZERO)
        TILE_PRODUCT(HEIGHT, line + (size_t)start * k, k, 1, b, PANEL, k)
        UNROLL for (int e = 0; e < HEIGHT; e++) {
          STORE(s0[e], products + (start + e) * columns + j);
          STORE(s1[e], products + (start + e) * columns + j + VECTOR);
        }
      }
    }
    for (int column = 0; column < ow; column++)
      for (int tap = 0; tap < r; tap++) {
        local const float *source = products + column * columns + tap * s * c;
        local float *target = scratch + ((row * stride + tap) * width + column * stride) * c;
        for (int e = 0; e < s * c; e++) target[e] += source[e];
      }
  }
  for (int y = 0; y < h; y++) {
    local const float *source = scratch + ((y + padding) * width + padding) * c;
    const size_t at = ((size_t)image * h + y) * w * c;
    for (int e = 0; e < w * c; e++) dx[at + e] = !mask || mask[at + e] > 0.0f ? source[e] : 0.0f;
  }
}

ONE_ITEM
kernel void convolution_scatter_cpu(
    const int h, const int w, const int c, const int oh, const int ow, const int k, const int r, const int s,
    const int stride, const int padding, global const float *restrict dy, global const float *restrict panels,
    global const float *restrict mask, global float *restrict dx, local float *scratch) {
  convolution_scatter_task(
      get_group_id(0), h, w, c, oh, ow, k, r, s, stride, padding, dy, panels, mask, dx, scratch);
}

// Where dy is read: in place, `gradient_row` apart, if the host says IN_PLACE; else copied to scratch.
#ifdef IN_PLACE
#define GRADIENTS global const float *
// What follows in dy, as much again, is fetched meanwhile: each row of taps takes one of two cache lines.
#define FETCH_GRADIENTS PREFETCH(b_ + (size_t)count * ow * gradient_row + tap % 2 * 16, 3);
#else
#define FETCH_GRADIENTS
#define GRADIENTS local const float *
#endif

// Sums whose rows are (s, channel) of one row of taps, or (r, s, channel) if TOGETHER says how many; depths are the pixels
// of `count` rows of the output.
#ifdef TOGETHER
#define GRADIENT_VALUE a_[ts_r / SEGMENT * width * c + ts_r % SEGMENT + gt_d * PIXEL]
#else
#define TOGETHER 1
#define GRADIENT_VALUE a_[ts_r + (size_t)gt_d * PIXEL]
#endif
// Rows before `done` belong to the tile before.
#define GRADIENT_TILE(height, i, done) \
  { \
    TILE_SUMS(height, ZERO, ZERO) \
    for (int row = 0; row < count; row++) { \
      local const float *a_ = images + (row * COPIED_STRIDE + tap) * width * c + (i); \
      GRADIENTS b_ = gradients + (size_t)row * ow * gradient_row; \
      for (int gt_d = 0; gt_d < ow; gt_d++, b_ += gradient_row) { \
        FETCH_GRADIENTS \
        const VEC ts_b0 = LOAD(b_), ts_b1 = LOAD(b_ + VECTOR); \
        TILE_ADD(height, GRADIENT_VALUE) \
      } \
    } \
    UNROLL for (int e = 0; e < height; e++) \
      if ((i) + e >= (done)) { \
        global float *row_ = target + ((size_t)tap * s * c + (i) + e) * k; \
        if (accumulate) { ADD_ROW(s0[e], s1[e], row_, k - j) } \
        store_row(s0[e], s1[e], row_, k - j); \
      } \
  }
// A row of taps has at least HEIGHT weights per output unless it is one tile.
#ifdef SEGMENT_TILE
#define FOR_TAPS(TILE) TILE(SEGMENT_TILE, 0, 0)
#else
#define FOR_TAPS(TILE) for (int i_ = 0; i_ < s * c; i_ += HEIGHT) TILE(HEIGHT, min(i_, s * c - HEIGHT), i_)
#endif

// partial: [chunk](r, s, c, k); an item sums `panels` panels. scratch: ((rows - 1) * COPIED_STRIDE + r) * width * c floats,
// where width = (ow - 1) * COPIED_STRIDE + s, and rows * ow * PANEL for a panel of dy unless IN_PLACE.
APART void convolution_weight_gradient_task(
    const int task, const int part, const int n, const int h, const int w, const int c, const int oh,
    const int ow, const int k, const int r, const int s, const int stride, const int padding, const int chunk,
    const int panels, global const float *restrict x, global const float *restrict dy, global float *restrict partial,
    const int rows, local float *scratch) {
  const int begin = task * chunk, end = min(begin + chunk, n);
  const int first_column = part * panels * PANEL, last_column = min(k, first_column + panels * PANEL);
  const int width = (ow - 1) * COPIED_STRIDE + s;
  local float *images = scratch, *packed = scratch + ((rows - 1) * COPIED_STRIDE + r) * width * c;
  for (int image = begin; image < end; image++)
    for (int first = 0; first < oh; first += rows) {
      const int count = min(rows, oh - first), accumulate = image > begin || first > 0;
      copy_rows(
          x + (size_t)image * h * w * c, h, w, c, first * stride - padding, (count - 1) * COPIED_STRIDE + r, -padding,
          width, COPY_STEP, images);
      for (int j = first_column; j < last_column; j += PANEL) {
        global float *target = partial + (size_t)task * r * s * c * k + j;
        global const float *source = dy + ((size_t)image * oh + first) * ow * k + j;
#ifdef IN_PLACE
        const int gradient_row = k;
        global const float *gradients = source;
#else
        const int gradient_row = PANEL;
        local const float *gradients = packed;
        for (int p = 0; p < count * ow; p++) {
          STORE(load_part(source + (size_t)p * k, k - j), packed + p * PANEL);
          STORE(load_part(source + (size_t)p * k + VECTOR, k - j - VECTOR), packed + p * PANEL + VECTOR);
        }
#endif
        for (int tap = 0; tap < r; tap += TOGETHER) FOR_TAPS(GRADIENT_TILE)
      }
    }
}

ONE_ITEM
kernel void convolution_weight_gradient_cpu(
    const int n, const int h, const int w, const int c, const int oh, const int ow, const int k, const int r,
    const int s, const int stride, const int padding, const int chunk, const int panels,
    global const float *restrict x, global const float *restrict dy, global float *restrict partial, const int rows,
    local float *scratch) {
  convolution_weight_gradient_task(
      get_group_id(0), get_group_id(1), n, h, w, c, oh, ow, k, r, s, stride, padding, chunk, panels, x, dy, partial,
      rows, scratch);
}
