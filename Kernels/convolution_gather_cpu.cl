// dx of 3x3 convolutions with stride 1 of first layers with CHANNELS (1 or 3) channels, shaped for CPU runtimes. Outputs
// fill whole panels; each lane sums over some of them, and the lanes are added at the end. global (images).
// Part of convolution_cpu.cl.

#ifndef CHANNELS
#define CHANNELS 1
#endif
// Rows of taps whose weights stay in registers, 18 vectors. One channel has sums of its own for each of the two vectors
// of a panel, as there would be too few to be added in turns.
#if CHANNELS == 1
#define ROWS 3
#define SUMS 2
#define SUM(channel, v) (v)
#else
#define ROWS 1
#define SUMS CHANNELS
#define SUM(channel, v) (channel)
#endif

// Stores the sums of a pixel of dx, added to what is there if `accumulate`.
INLINE void put_sums(const VEC *a, local float *target, int accumulate) {
  UNROLL for (int c = 0; c < CHANNELS; c++) {
    const VEC total = CHANNELS == 1 ? a[0] + a[SUMS - 1] : a[c];
    STORE(accumulate ? LOAD(target + c * VECTOR) + total : total, target + c * VECTOR);
  }
}

// Adds the rows of taps from `row` on for a panel of outputs from `output` on, a vector per channel of ow + 2 pixels of
// dx. Row r meets dy - r * dy_row, if it is one of those from `first` up to `end`.
INLINE void add_rows(
    const int row, const int output, const int ow, const int k, global const float *dy, const int dy_row, const int first,
    const int end, global const float *weights, local float *sums, const int accumulate) {
  VEC taps[18];
  global const float *lines[ROWS];
  UNROLL for (int r = 0; r < ROWS; r++) {
    const int number = row + r, exists = first <= number && number < end;
    // In place of a row that does not exist one that does, with weights of zero.
    lines[r] = dy + output - (ptrdiff_t)(exists ? number : first) * dy_row;
    UNROLL for (int i = 0; i < 6 * CHANNELS; i++)
      taps[6 * CHANNELS * r + i] = exists
        ? LOAD(weights + (size_t)(3 * CHANNELS * number + i / 2) * k + output + i % 2 * VECTOR) : ZERO;
  }
  VEC a0[SUMS], a1[SUMS], a2[SUMS];
  UNROLL for (int i = 0; i < SUMS; i++) a0[i] = a1[i] = a2[i] = ZERO;
  ROLLED for (int pixel = 0; pixel < ow; pixel++) {
    fetch(lines[0] + (size_t)pixel * k + dy_row, PANEL);
    UNROLL for (int i = 0; i < 2 * ROWS; i++) {
      const int v = i % 2, at = 6 * CHANNELS * (i / 2) + v;
      const VEC d = LOAD(lines[i / 2] + (size_t)pixel * k + v * VECTOR);
      UNROLL for (int c = 0; c < CHANNELS; c++) {
        a0[SUM(c, v)] = fma(d, taps[at + 2 * c], a0[SUM(c, v)]);
        a1[SUM(c, v)] = fma(d, taps[at + 2 * (CHANNELS + c)], a1[SUM(c, v)]);
        a2[SUM(c, v)] = fma(d, taps[at + 2 * (2 * CHANNELS + c)], a2[SUM(c, v)]);
      }
    }
    put_sums(a0, sums, accumulate);
    sums += CHANNELS * VECTOR;
    UNROLL for (int i = 0; i < SUMS; i++) {
      a0[i] = a1[i];
      a1[i] = a2[i];
      a2[i] = ZERO;
    }
  }
  put_sums(a0, sums, accumulate);
  put_sums(a1, sums + CHANNELS * VECTOR, accumulate);
}

// Sums of neighbouring lanes of 2 * count vectors, side by side in half as many.
#define HALVE(count) \
  UNROLL for (int i = 0; i < count; i++) \
    v[i] = (VEC)(v[2 * i].even, v[2 * i + 1].even) + (VEC)(v[2 * i].odd, v[2 * i + 1].odd);

// One row of dx, of `count` values.
APART void gather_row(
    const int count, const int ow, const int k, const int padding, global const float *dy, const int dy_row,
    const int first, const int end, global const float *weights, global float *dx, local float *scratch) {
  int accumulate = 0;
  for (int output = 0; output < k; output += PANEL)
    for (int row = 0; row < 3; row += ROWS) {
      if (ROWS == 1 && (row < first || row >= end)) continue;
      add_rows(row, output, ow, k, dy, dy_row, first, end, weights, scratch, accumulate);
      accumulate = 1;
    }
  for (int i = 0; i < count; i += VECTOR) {
    const int start = min(i, count - VECTOR);
    VEC v[VECTOR];
    UNROLL for (int j = 0; j < VECTOR; j++) v[j] = LOAD(scratch + (start + padding * CHANNELS + j) * VECTOR);
    HALVE(VECTOR / 2)
    HALVE(VECTOR / 4)
    HALVE(VECTOR / 8)
    HALVE(VECTOR / 16)
    STORE(v[0], dx + start);
  }
}

// Weights (3, 3, CHANNELS, k); a row of dx has at least VECTOR values. scratch: VECTOR * CHANNELS * (ow + 2) floats.
ONE_ITEM
kernel void convolution_gather_cpu(
    const int h, const int w, const int oh, const int ow, const int k, const int padding, global const float *restrict dy,
    global const float *restrict weights, global const float *restrict mask, global float *restrict dx,
    local float *scratch) {
  const int image = get_group_id(0), count = w * CHANNELS;
  for (int y = 0; y < h; y++) {
    // Tap r of row y meets row y + padding - r of dy.
    const int top = y + padding;
    const size_t at = ((size_t)image * h + y) * count;
    gather_row(
        count, ow, k, padding, dy + ((ptrdiff_t)image * oh + top) * ow * k, ow * k, max(0, top - oh + 1), min(3, top + 1),
        weights, dx + at, scratch);
    if (mask)
      for (int i = 0; i < count; i++) dx[at + i] = mask[at + i] > 0.0f ? dx[at + i] : 0.0f;
  }
}
