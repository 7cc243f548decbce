// Winograd's convolutions on CPU runtimes; see winograd_tiles_cpu.cl.
//   winograd_filter_cpu     global (channels, panels)
//   winograd_cpu            transforms, products and outputs of a block of tiles in local memory
//   winograd_transform_cpu  transformed tiles into global memory, for large filters, and
//   winograd_multiply_cpu   their products with one panel of filters, and outputs
//   winograd_gradient_cpu   dx of whole images, by the transposed algorithm

#include "product_cpu.cl"
#include "winograd_tiles_cpu.cl"

// Weights (3, 3, c, k) into U [panel][point][channel][PANEL]: from c to k, or from k to c, as they are for the
// transposed algorithm, or rotated by 180 degrees for a forward one.
kernel void winograd_filter_cpu(
    const int c, const int k, const int transposed, const int rotated, global const float *restrict weights,
    global float *restrict filters) {
  const int channels = transposed ? k : c, outputs = transposed ? c : k;
  const int channel = get_global_id(0), panel = get_global_id(1);
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = min(VECTOR, outputs - first);
    VEC g[9], t[18], u[POINTS];
    ROLLED for (int tap = 0; tap < 9; tap++) {
      global const float *source = weights
        + (transposed ? ((size_t)(rotated ? 8 - tap : tap) * c + first) * k + channel : ((size_t)tap * c + channel) * k + first);
      const int step = transposed ? k : 1;
      float values[VECTOR];
      for (int j = 0; j < VECTOR; j++) values[j] = j < count ? source[(size_t)j * step] : 0.0f;
      g[tap] = LOAD(values);
    }
    ROLLED for (int i = 0; i < 3; i++) filter_points(g[3 * i], g[3 * i + 1], g[3 * i + 2], t + i, 3);
    ROLLED for (int j = 0; j < 6; j++) filter_points(t[3 * j], t[3 * j + 1], t[3 * j + 2], u + j, 6);
    global float *target = filters + (((size_t)panel * POINTS) * channels + channel) * PANEL + side;
    ROLLED for (int p = 0; p < POINTS; p++) STORE(u[p], target + (size_t)POINT_OF(p / 6, p % 6) * channels * PANEL);
  }
}

// The largest of the 2x2 pixels of each window of a tile, o[16], after ReLU, and which of them it is; the first on ties.
INLINE void pool_tile(
    const VEC *o, int image, int row0, int column0, int oh, int ow, int k, int first, global float *y,
    global uchar *winners) {
  ROLLED for (int p = 0; p < 4; p++) {
    const int row = row0 / 2 + p / 2, column = column0 / 2 + p % 2, corner = p / 2 * 8 + p % 2 * 2;
    if (row >= oh / 2 || column >= ow / 2) continue;
    VEC best = at_least(o[corner], ZERO);
    INTS winner = (INTS)(0);
    UNROLL for (int q = 1; q < 4; q++) {
      const VEC v = at_least(o[corner + q / 2 * 4 + q % 2], ZERO);
      const INTS is_larger = v > best || v != v;
      best = is_larger ? v : best;
      winner = is_larger ? (INTS)(q) : winner;
    }
    const size_t at = (((size_t)image * (oh / 2) + row) * (ow / 2) + column) * k + first;
    STORE(best, y + at);
    JOIN(vstore, VECTOR)(JOIN(convert_uchar, VECTOR)(winner), 0, winners + at);
  }
}

// Output pixels of one tile of a panel from its products, tile `at` of a block, with bias and ReLU; then, if winners are
// asked for (k fills whole panels), a max pool of 2 x 2.
INLINE void finish_tile(
    int tile, int panel, int oh, int ow, int k, local const float *m, int at, int point_stride, global const float *bias, int finish,
    global float *y, global uchar *winners) {
  PLACE(tile, oh, ow)
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = k - first;
    if (count <= 0) return;
    VEC t[4 * SPAN], o[16], column[SPAN];
    ROLLED for (int j = 0; j < SPAN; j++) {
      UNROLL for (int i = 0; i < SPAN; i++) column[i] = LOAD(m + product_at(i, j, at, PANEL, point_stride) + side);
      output_row(column, t + j, SPAN);
    }
    const VEC b = bias ? load_part(bias + first, count) : ZERO, floor = least(finish);
    global float *target = y + (((size_t)image * oh + row0) * ow + column0) * k + first;
    if (!winners && row0 + 4 <= oh && column0 + 4 <= ow && count >= VECTOR) {
      if (!(finish & PAST_CACHES))
        ROLLED for (int p = 0; p < 16; p++) fetch(target + ((size_t)(p / 4) * ow + p % 4 + 4) * k, VECTOR);
      ROLLED for (int i = 0; i < 4; i++) {
        output_row(t + SPAN * i, o, 1);
        UNROLL for (int j = 0; j < 4; j++) store_result(at_least(o[j] + b, floor), target + ((size_t)i * ow + j) * k, finish);
      }
      continue;
    }
    ROLLED for (int i = 0; i < 4; i++) output_row(t + SPAN * i, o + 4 * i, 1);
    ROLLED for (int p = 0; p < 16; p++) o[p] += b;
    if (winners) {
      pool_tile(o, image, row0, column0, oh, ow, k, first, y, winners);
      continue;
    }
    ROLLED for (int p = 0; p < 16; p++)
      if (row0 + p / 4 < oh && column0 + p % 4 < ow)
        store_part(at_least(o[p], floor), target + ((size_t)(p / 4) * ow + p % 4) * k, count);
  }
}

// Products of `tiles` transformed tiles, from tile `at` of V on, with one panel of filters, per point, into m. Meanwhile
// `ahead` is fetched.
#define SUM_TILES(tiles) (PRODUCTS * (tiles) / HEIGHT + 1)
#define MULTIPLY_TILE(height, i) \
  { \
    fetch_ahead(&ahead_); \
    TILE_SUMS(height, ZERO, ZERO) \
    TILE_PRODUCT(height, v_ + (size_t)i * row_, row_, 1, u_, PANEL, depth_) \
    UNROLL for (int r = 0; r < height; r++) { \
      STORE(s0[r], m_ + (i + r) * PANEL); \
      STORE(s1[r], m_ + (i + r) * PANEL + VECTOR); \
    } \
  }
#define MULTIPLY_TILES(space, tiles, v, at, v_row, v_stride, depth, filters, panel, m, m_stride, ahead) \
  AHEAD ahead_ = ahead; \
  for (int point = 0; point < POINTS; point++) { \
    const int row_ = (v_row), depth_ = (depth), per_tile_ = PER_TILE(point), rows_ = (tiles) * per_tile_; \
    space const float *v_ = (v) + FIRST_PRODUCT(point) * (size_t)(v_stride) + (size_t)(at) * per_tile_ * row_; \
    global const float *u_ = (filters) + ((size_t)(panel) * POINTS + point) * depth_ * PANEL; \
    local float *m_ = (m) + FIRST_PRODUCT(point) * (m_stride); \
    FOR_TILES(rows_, MULTIPLY_TILE) \
  }

// scratch: PRODUCTS * (block * (c + PANEL) + 32) floats; `block` is a multiple of LOW.
APART void winograd_task(
    const int task, const int count, const int h, const int w, const int c, const int oh, const int ow, const int k,
    const int padding, global const float *restrict x, global const float *restrict filters,
    global const float *restrict bias, const int finish, global float *restrict y, global uchar *restrict winners,
    const int block, local float *scratch) {
  const int first = task * block, tiles = min(block, count - first), next = first + tiles;
  const int v_stride = block * c + 16, m_stride = block * PANEL + 16;
  local float *m = scratch + PRODUCTS * v_stride;
  for (int t_ = 0; t_ < (tiles + LOW - 1) / LOW * LOW; t_++) {
    local float *v = scratch;
    TRANSFORM_INPUT(min(first + t_, count - 1), h, w, c, padding, oh, ow, x, v, t_, v_stride)
  }
  for (int panel = 0; panel * PANEL < k; panel++) {
    const AHEAD ahead = (panel + 1) * PANEL < k ? NOTHING_AHEAD : IMAGES_AHEAD(next, min(next + block, count), SUM_TILES(tiles));
    MULTIPLY_TILES(local, tiles, scratch, 0, c, v_stride, c, filters, panel, m, m_stride, ahead)
    for (int t = 0; t < tiles; t++) finish_tile(first + t, panel, oh, ow, k, m, t, m_stride, bias, finish, y, winners);
  }
}

ONE_ITEM
kernel void winograd_cpu(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int k,
    const int padding, global const float *restrict x, global const float *restrict filters,
    global const float *restrict bias, const int finish, global float *restrict y, global uchar *restrict winners,
    const int block, local float *scratch) {
  winograd_task(
      get_group_id(0), count, h, w, c, oh, ow, k, padding, x, filters, bias, finish, y, winners, block, scratch);
}

// One item per `step` tiles of the block that starts at tile `start`; V with room for `block` tiles, a multiple of LOW,
// as `step` is.
APART void winograd_transform_task(
    const int task, const int start, const int end, const int h, const int w, const int c, const int oh, const int ow,
    const int padding, global const float *restrict x, global float *restrict values, const int block,
    const int step) {
  const int first = start + task * step;
  const int rounded = start + (end - start + LOW - 1) / LOW * LOW;
  for (int t_ = first; t_ < min(first + step, rounded); t_++) {
    global float *v = values;
    TRANSFORM_INPUT(min(t_, end - 1), h, w, c, padding, oh, ow, x, v, t_ - start, ((size_t)block * c + 16))
  }
  // Vectors of winograd_weight_multiply_cpu reach beyond the last channel of the last tile.
  if (first < rounded && first + step >= rounded)
    for (int point = 0; point < POINTS; point++) {
      global float *v = values + FIRST_PRODUCT(point) * ((size_t)block * c + 16)
        + (size_t)(rounded - start) * PER_TILE(point) * c;
      for (int e = 0; e < 16; e++) v[e] = 0.0f;
    }
}

ONE_ITEM
kernel void winograd_transform_cpu(
    const int start, const int end, const int h, const int w, const int c, const int oh, const int ow,
    const int padding, global const float *restrict x, global float *restrict values, const int block,
    const int step) {
  winograd_transform_task(
      get_group_id(0), start, end, h, w, c, oh, ow, padding, x, values, block, step);
}

// Part get_group_id(0) of the block and panel get_group_id(1). scratch: PRODUCTS * (part * PANEL + 16) floats.
APART void winograd_multiply_task(
    const int task, const int panel, const int start, const int end, const int c, const int oh, const int ow,
    const int k, global const float *restrict values, global const float *restrict filters,
    global const float *restrict bias, const int finish, global float *restrict y, global uchar *restrict winners,
    const int block, const int part, local float *scratch) {
  const int first = start + task * part, tiles = min(part, end - first);
  const int m_stride = part * PANEL + 16;
  MULTIPLY_TILES(
      global, tiles, values, first - start, c, ((size_t)block * c + 16), c, filters, panel, scratch, m_stride,
      NOTHING_AHEAD)
  for (int t = 0; t < tiles; t++)
    finish_tile(first + t, panel, oh, ow, k, scratch, t, m_stride, bias, finish, y, winners);
}

ONE_ITEM
kernel void winograd_multiply_cpu(
    const int start, const int end, const int c, const int oh, const int ow, const int k,
    global const float *restrict values, global const float *restrict filters, global const float *restrict bias,
    const int finish, global float *restrict y, global uchar *restrict winners, const int block, const int part,
    local float *scratch) {
  winograd_multiply_task(
      get_group_id(0), get_group_id(1), start, end, c, oh, ow, k, values, filters, bias, finish, y, winners, block, part,
      scratch);
}


// Adds B M B^T of one tile of a panel, tile `at` of a block, to dx (n, h, w, c).
INLINE void add_tile(
    int tile, int panel, int h, int w, int c, int padding, int oh, int ow, local const float *m, int at,
    int point_stride, global float *dx) {
  PLACE(tile, oh, ow)
  const int top = row0 * STRIDE - padding, left = column0 * STRIDE - padding;
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = c - first;
    if (count <= 0) return;
    VEC t[PRODUCTS], o[SPAN], column[SPAN];
    ROLLED for (int j = 0; j < SPAN; j++) {
      UNROLL for (int i = 0; i < SPAN; i++) column[i] = LOAD(m + product_at(i, j, at, PANEL, point_stride) + side);
      input_gradient_row(column, t + j, SPAN);
    }
    if (top >= 0 && left >= 0 && top + SPAN <= h && left + SPAN <= w && count >= VECTOR) {
      global float *corner = dx + (((size_t)image * h + top) * w + left) * c + first;
      ROLLED for (int i = 0; i < SPAN; i++) {
        input_gradient_row(t + SPAN * i, o, 1);
        UNROLL for (int j = 0; j < SPAN; j++) {
          global float *pixel = corner + ((size_t)i * w + j) * c;
          STORE(LOAD(pixel) + o[j], pixel);
        }
      }
      continue;
    }
    ROLLED for (int i = 0; i < SPAN; i++) {
      if (top + i < 0 || top + i >= h) continue;
      input_gradient_row(t + SPAN * i, o, 1);
      global float *row = dx + (((size_t)image * h + top + i) * w + left) * c + first;
      UNROLL for (int j = 0; j < SPAN; j++)
        if (left + j >= 0 && left + j < w)
          store_part(load_part(row + (ptrdiff_t)j * c, count) + o[j], row + (ptrdiff_t)j * c, count);
    }
  }
}

// dx of `images` whole images per item, whose tiles' results overlap; 0 where `mask`, the output of a ReLU, is not
// positive. V has rows of panels of k. scratch: PRODUCTS * (tiles * (panels * PANEL + PANEL) + 32) floats.
APART void winograd_gradient_task(
    const int task, const int n, const int h, const int w, const int c, const int oh, const int ow, const int k,
    const int padding, global const float *restrict dy, global const uchar *restrict winners,
    global const float *restrict filters, global const float *restrict mask, global float *restrict dx,
    const int images, local float *scratch) {
  const int per_image = ((oh + 3) / 4) * ((ow + 3) / 4), begin = task * images;
  const int first = begin * per_image, tiles = min(images, n - begin) * per_image, block = images * per_image;
  const int next = first + tiles;
  const int row = (k + PANEL - 1) / PANEL * PANEL, padded = (block + LOW - 1) / LOW * LOW;
  const int v_stride = padded * row + 16, m_stride = padded * PANEL + 16;
  local float *m = scratch + PRODUCTS * v_stride;
  for (int t = 0; t < (tiles + LOW - 1) / LOW * LOW; t++)
    for (int panel = 0; panel * PANEL < k; panel++) {
      local float *d = scratch + panel * PANEL;
      TRANSFORM_GRADIENT(min(first + t, first + tiles - 1), oh, ow, k, panel, dy, winners, d, t, row, v_stride)
    }
  const size_t at = (size_t)begin * h * w * c, size = (size_t)min(images, n - begin) * h * w * c;
  for (size_t e = 0; e < size; e++) dx[at + e] = 0.0f;
  for (int panel = 0; panel * PANEL < c; panel++) {
    const AHEAD ahead =
      (panel + 1) * PANEL < c ? NOTHING_AHEAD : GRADIENT_AHEAD(next, min(next + block, n * per_image), SUM_TILES(tiles));
    MULTIPLY_TILES(local, tiles, scratch, 0, row, v_stride, k, filters, panel, m, m_stride, ahead)
    for (int t = 0; t < tiles; t++)
      add_tile(first + t, panel, h, w, c, padding, oh, ow, m, t, m_stride, dx);
  }
  if (mask)
    for (size_t e = 0; e < size; e++) dx[at + e] = mask[at + e] > 0.0f ? dx[at + e] : 0.0f;
}

ONE_ITEM
kernel void winograd_gradient_cpu(
    const int n, const int h, const int w, const int c, const int oh, const int ow, const int k, const int padding,
    global const float *restrict dy, global const uchar *restrict winners, global const float *restrict filters,
    global const float *restrict mask, global float *restrict dx, const int images, local float *scratch) {
  winograd_gradient_task(
      get_group_id(0), n, h, w, c, oh, ow, k, padding, dy, winners, filters, mask, dx, images, scratch);
}

#include "winograd_weight_cpu.cl"
