// Weight gradients of direct convolutions, shaped for CPU runtimes: sums over chunks of images, which sum_partials adds;
// global (chunks, parts of the panels). Part of convolution_cpu.cl.

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
        store_row(s0[e], s1[e], row_, k - j, 0); \
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
