// dx of convolutions with few channels, shaped for CPU runtimes; global (images).
//   convolution_scatter_cpu  each pixel of dy times all taps, added to the pixels they reach
//   convolution_gather_cpu   3x3 with one channel, stride 1 and whole panels of outputs, over which the lanes of vectors sum

#include "product_cpu.cl"

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

// The weights of a row of taps; zero if it does not exist.
#define ROW_OF_TAPS(name, number) \
  VEC name[6]; \
  UNROLL for (int i = 0; i < 6; i++) name[i] = first <= number && number < end \
    ? LOAD(weights + (3 * number + i / 2) * k + output + i % 2 * VECTOR) : ZERO;
// Adds what a pixel of dy contributes to three pixels of dx.
#define ADD_TAPS(row, source, v) \
  { \
    const VEC d = LOAD((source) + v * VECTOR); \
    a0[v] = fma(d, row[v], a0[v]); \
    a1[v] = fma(d, row[2 + v], a1[v]); \
    a2[v] = fma(d, row[4 + v], a2[v]); \
  }
#define PUT_SUM(a) \
  { \
    const VEC total = a[0] + a[1]; \
    STORE(output > 0 ? LOAD(sum) + total : total, sum); \
    sum += VECTOR; \
  }

// Sums of neighbouring lanes of 2 * count vectors, side by side in half as many.
#define HALVE(count) \
  UNROLL for (int i = 0; i < count; i++) \
    v[i] = (VEC)(v[2 * i].even, v[2 * i + 1].even) + (VEC)(v[2 * i].odd, v[2 * i + 1].odd);

// One row of dx; only rows of taps from `first` up to `end` exist, of which row r meets dy - r * dy_row.
APART void gather_row(
    const int w, const int ow, const int k, const int padding, global const float *dy, const int dy_row, const int first,
    const int end, global const float *weights, global float *dx, local float *scratch) {
  for (int output = 0; output < k; output += PANEL) {
    ROW_OF_TAPS(row0, 0)
    ROW_OF_TAPS(row1, 1)
    ROW_OF_TAPS(row2, 2)
    // In place of a row that does not exist one that does.
    global const float *dy0 = dy + output - (ptrdiff_t)first * dy_row;
    global const float *dy1 = dy + output - (ptrdiff_t)(first <= 1 && end > 1 ? 1 : first) * dy_row;
    global const float *dy2 = dy + output - (ptrdiff_t)(end > 2 ? 2 : first) * dy_row;
    local float *sum = scratch;
    VEC a0[2] = {ZERO, ZERO}, a1[2] = {ZERO, ZERO}, a2[2] = {ZERO, ZERO};
    ROLLED for (int pixel = 0; pixel < ow; pixel++) {
      UNROLL for (int v = 0; v < 2; v++) {
        fetch(dy0 + (size_t)pixel * k + dy_row + v * VECTOR, VECTOR);
        ADD_TAPS(row0, dy0 + (size_t)pixel * k, v)
        ADD_TAPS(row1, dy1 + (size_t)pixel * k, v)
        ADD_TAPS(row2, dy2 + (size_t)pixel * k, v)
      }
      PUT_SUM(a0)
      UNROLL for (int v = 0; v < 2; v++) {
        a0[v] = a1[v];
        a1[v] = a2[v];
        a2[v] = ZERO;
      }
    }
    PUT_SUM(a0)
    PUT_SUM(a1)
  }
  // Sums of lanes: halves of as many rows side by side, until each lane holds a row.
  for (int x = 0; x < w; x += VECTOR) {
    const int start = min(x, w - VECTOR);
    VEC v[VECTOR];
    UNROLL for (int i = 0; i < VECTOR; i++) v[i] = LOAD(scratch + (start + padding + i) * VECTOR);
    HALVE(VECTOR / 2)
    HALVE(VECTOR / 4)
    HALVE(VECTOR / 8)
    HALVE(VECTOR / 16)
    STORE(v[0], dx + start);
  }
}

// Weights (3, 3, 1, k); w is at least VECTOR. scratch: VECTOR * (ow + 2) floats.
ONE_ITEM
kernel void convolution_gather_cpu(
    const int h, const int w, const int oh, const int ow, const int k, const int padding, global const float *restrict dy,
    global const float *restrict weights, global const float *restrict mask, global float *restrict dx,
    local float *scratch) {
  const int image = get_group_id(0);
  for (int y = 0; y < h; y++) {
    // Tap r of row y meets row y + padding - r of dy.
    const int top = y + padding;
    const size_t at = ((size_t)image * h + y) * w;
    gather_row(
        w, ow, k, padding, dy + ((ptrdiff_t)image * oh + top) * ow * k, ow * k, max(0, top - oh + 1), min(3, top + 1), weights,
        dx + at, scratch);
    if (mask)
      for (int x = 0; x < w; x++) dx[at + x] = mask[at + x] > 0.0f ? dx[at + x] : 0.0f;
  }
}
