// Gradients of the filters by Winograd's algorithm on CPU runtimes; see winograd_tiles_cpu.cl. Part of winograd_cpu.cl.
//   winograd_weight_cpu             products of transformed images and dy, summed over a group of tiles
//   winograd_transform_gradient_cpu transformed tiles of dy into global memory, for large filters, and
//   winograd_weight_multiply_cpu    products of one point, added to the sums of the blocks before
//   winograd_weight_finish_cpu      sums of the groups into dW; global (channels / FINISHED, panels)

// Adds rows of a tile of sums to `target` [c][PANEL], or stores them.
#define ADD_SUMS(height, i, target, accumulate) \
  UNROLL for (int r = 0; r < height; r++) \
    if ((i) + r < c) { \
      global float *t_ = (target) + ((i) + r) * PANEL; \
      STORE((accumulate) ? s0[r] + LOAD(t_) : s0[r], t_); \
      STORE((accumulate) ? s1[r] + LOAD(t_ + VECTOR) : s1[r], t_ + VECTOR); \
    }

// V^T D of the tiles of a block; D lies as [panel][point][tile][PANEL].
#define SUM_TILE(height, i) \
  { \
    fetch_ahead(&images_ahead); \
    fetch_ahead(&gradients_ahead); \
    TILE_SUMS(height, ZERO, ZERO) \
    TILE_PRODUCT(height, v_ + i, 1, c, d_, PANEL, depth_) \
    ADD_SUMS(height, i, sums_, start > begin) \
  }

// Group g sums over its share of the tiles. sums: [group][panel][point][c][PANEL]; scratch: PRODUCTS * (block * (c +
// panels * PANEL) + 16 * (1 + panels)) floats.
APART void winograd_weight_task(
    const int group, const int groups, const int count, const int h, const int w, const int c, const int oh, const int ow, const int k,
    const int padding, global const float *restrict x, global const float *restrict dy,
    global const uchar *restrict winners, global float *restrict sums, const int block, local float *scratch) {
  const int panels = (k + PANEL - 1) / PANEL;
  const int begin = (long)count * group / groups, end = (long)count * (group + 1) / groups;
  const int v_stride = block * c + 16, d_stride = block * PANEL + 16;
  local float *gradients = scratch + PRODUCTS * v_stride;
  for (int start = begin; start < end; start += block) {
    const int tiles = min(block, end - start);
    for (int t = 0; t < tiles; t++) {
      local float *v = scratch;
      TRANSFORM_INPUT(start + t, h, w, c, padding, oh, ow, x, v, t, v_stride)
      for (int panel = 0; panel < panels; panel++) {
        local float *d = gradients + panel * PRODUCTS * d_stride;
        TRANSFORM_GRADIENT(start + t, oh, ow, k, panel, dy, winners, d, t, PANEL, d_stride)
      }
    }
    // Rows of tiles of sums that do not exist read beyond the last channel.
    for (int point = 0; point < POINTS; point++)
      UNROLL for (int e = 0; e < LOW; e++)
        scratch[FIRST_PRODUCT(point) * v_stride + tiles * PER_TILE(point) * c + e] = 0.0f;
    const int next = start + tiles, last = min(end, next + block), all = panels * POINTS * ((c + HEIGHT - 1) / HEIGHT);
    AHEAD images_ahead = IMAGES_AHEAD(next, last, all), gradients_ahead = GRADIENT_AHEAD(next, last, all);
    for (int panel = 0; panel < panels; panel++)
      for (int point = 0; point < POINTS; point++) {
        const int depth_ = tiles * PER_TILE(point);
        local const float *v_ = scratch + FIRST_PRODUCT(point) * v_stride;
        local const float *d_ = gradients + (panel * PRODUCTS + FIRST_PRODUCT(point)) * d_stride;
        global float *sums_ = sums + (((size_t)group * panels + panel) * POINTS + point) * c * PANEL;
        FOR_TILES(c, SUM_TILE)
      }
  }
}

ONE_ITEM
kernel void winograd_weight_cpu(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int k,
    const int padding, global const float *restrict x, global const float *restrict dy,
    global const uchar *restrict winners, global float *restrict sums, const int block, local float *scratch) {
  winograd_weight_task(
      get_group_id(0), get_num_groups(0), count, h, w, c, oh, ow, k, padding, x, dy, winners, sums, block, scratch);
}

// One item per `step` tiles and panel, as [panel][point][tile][PANEL] with room for `block` tiles.
APART void winograd_transform_gradient_task(
    const int task, const int panel, const int start, const int end, const int oh, const int ow, const int k,
    global const float *restrict dy, global const uchar *restrict winners, global float *restrict gradients,
    const int block, const int step) {
  const int first = start + task * step, d_stride = block * PANEL + 16;
  for (int t = first; t < min(first + step, end); t++) {
    global float *d = gradients + (size_t)panel * PRODUCTS * d_stride;
    TRANSFORM_GRADIENT(t, oh, ow, k, panel, dy, winners, d, t - start, PANEL, d_stride)
  }
}

ONE_ITEM
kernel void winograd_transform_gradient_cpu(
    const int start, const int end, const int oh, const int ow, const int k, global const float *restrict dy,
    global const uchar *restrict winners, global float *restrict gradients, const int block, const int step) {
  winograd_transform_gradient_task(
      get_group_id(0), get_group_id(1), start, end, oh, ow, k, dy, winners, gradients, block, step);
}

// Sums of one point for `part` panels. V is gathered for a tile of sums, so that it stays in the first-level cache (with up
// to four products per tile); a whole vector is copied, of which the next depth overwrites what is too much.
#define GATHERED_TILE(height, i) \
  { \
    for (int t = 0; t < depth; t++) \
      UNROLL for (int r = 0; r < height; r += VECTOR) STORE(LOAD(v + (size_t)t * c + i + r), scratch + t * height + r); \
    for (int panel = first; panel < last; panel++) { \
      global const float *d = gradients + ((size_t)panel * PRODUCTS + FIRST_PRODUCT(point)) * d_stride; \
      global float *target = sums + ((size_t)panel * POINTS + point) * c * PANEL; \
      TILE_SUMS(height, ZERO, ZERO) \
      TILE_PRODUCT(height, scratch, 1, height, d, PANEL, depth) \
      ADD_SUMS(height, i, target, accumulate) \
    } \
  }

// scratch: HEIGHT * depth + VECTOR floats; a point's depth is at most 16 tiles with STRIDE 2.
APART void winograd_weight_multiply_task(
    const int point, const int task, const int tiles, const int c, const int k,
    global const float *restrict values, global const float *restrict gradients, global float *restrict sums,
    const int block, const int part, const int accumulate, local float *scratch) {
  const int first = task * part, last = min(first + part, (k + PANEL - 1) / PANEL);
  const int d_stride = block * PANEL + 16, depth = tiles * PER_TILE(point);
  global const float *v = values + FIRST_PRODUCT(point) * ((size_t)block * c + 16);
  FOR_TILES(c, GATHERED_TILE)
}

ONE_ITEM
kernel void winograd_weight_multiply_cpu(
    const int tiles, const int c, const int k, global const float *restrict values,
    global const float *restrict gradients, global float *restrict sums, const int block, const int part,
    const int accumulate, local float *scratch) {
  winograd_weight_multiply_task(
      POINTS - 1 - get_group_id(0), get_group_id(1), tiles, c, k, values, gradients, sums, block, part, accumulate, scratch);
}

// Sums of `groups` groups, [group][panel][point][c][PANEL], into dW (3, 3, c, k), for FINISHED channels: so many rows of
// sums lie next to each other. scratch: POINTS * FINISHED * PANEL floats.
#define FINISHED 4
APART void winograd_weight_finish_task(
    const int task, const int panel, const int panels, const int groups, const int c, const int k,
    global const float *restrict sums, global float *restrict dw, local float *scratch) {
  const int begin = task * FINISHED, end = min(begin + FINISHED, c);
  ROLLED for (int p = 0; p < POINTS; p++)
    for (int group = 0; group < groups; group++) {
      global const float *source = sums + ((((size_t)group * panels + panel) * POINTS + p) * c + begin) * PANEL;
      local float *target = scratch + p * FINISHED * PANEL;
      for (int e = 0; e < (end - begin) * PANEL; e += VECTOR)
        STORE(group > 0 ? LOAD(target + e) + LOAD(source + e) : LOAD(source + e), target + e);
    }
  for (int channel = begin; channel < end; channel++)
    for (int side = 0; side < PANEL; side += VECTOR) {
      const int first = panel * PANEL + side, count = k - first;
      if (count <= 0) break;
      local const float *u = scratch + (channel - begin) * PANEL + side;
      VEC t[18], g[3];
#define POINT(i, j) LOAD(u + POINT_OF(i, j) * FINISHED * PANEL)
      ROLLED for (int j = 0; j < 6; j++)
        filter_taps(POINT(0, j), POINT(1, j), POINT(2, j), POINT(3, j), POINT(4, j), POINT(5, j), t + j, 6);
#undef POINT
      ROLLED for (int i = 0; i < 3; i++) {
        filter_taps(t[6 * i], t[6 * i + 1], t[6 * i + 2], t[6 * i + 3], t[6 * i + 4], t[6 * i + 5], g, 1);
        UNROLL for (int j = 0; j < 3; j++) store_part(g[j], dw + ((size_t)(3 * i + j) * c + channel) * k + first, count);
      }
    }
}

ONE_ITEM
kernel void winograd_weight_finish_cpu(
    const int groups, const int c, const int k, global const float *restrict sums, global float *restrict dw,
    local float *scratch) {
  winograd_weight_finish_task(
      get_group_id(0), get_group_id(1), get_num_groups(1), groups, c, k, sums, dw, scratch);
}
