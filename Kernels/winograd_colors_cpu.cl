// Winograd's algorithm for first layers on images of three channels; see winograd_tiles_cpu.cl. So few products per point
// leave the transforms to dominate, if they go through memory: the filters of a column of points (6 points of 3 channels)
// stay in registers, 32 of 16 floats, for a strip of tiles beside each other.
//   winograd_colors_cpu         global (images)
//   winograd_colors_weight_cpu  sums over a group of images, [group][panel][point][channel][PANEL]; global (groups)

#include "product_cpu.cl"
#include "images_cpu.cl"
#include "winograd_tiles_cpu.cl"

#define COLORS 3
// Tiles of a strip, at most: what they take fits the first-level cache. Columns of points of a tile, from top to bottom
// with four floats each.
#define STRIP 8
#define COLUMN_FLOATS 24
#define TILE_FLOATS (6 * COLUMN_FLOATS)

INLINE float4 color_sum(float4 c, float4 a, float b) { return fma(a, (float4)(b), c); }

// V of `tiles` tiles, each four pixels right of the one before; rows of the image are `row` floats apart. scratch:
// 6 (12 tiles + 6) + 1 floats.
APART void transform_strip(local const float *x, const int row, const int tiles, local float *v, local float *scratch) {
  const int count = (4 * tiles + 2) * COLORS;
  for (int i = 0; i < count; i += VECTOR) {
    const int at = min(i, count - VECTOR);
    local const float *s = x + at;
    VEC o[6];
    input_points(LOAD(s), LOAD(s + row), LOAD(s + 2 * row), LOAD(s + 3 * row), LOAD(s + 4 * row), LOAD(s + 5 * row), o, 1);
    UNROLL for (int j = 0; j < 6; j++) STORE(o[j], scratch + j * count + at);
  }
  scratch[6 * count] = 0.0f;  // the fourth float of the last pixel
  for (int tile = 0; tile < tiles; tile++)
    ROLLED for (int i = 0; i < 6; i++) {
      local const float *s = scratch + i * count + tile * 4 * COLORS;
      local float *target = v + tile * TILE_FLOATS + i * 4;
      const float4 d0 = vload4(0, s), d1 = vload4(0, s + 3), d2 = vload4(0, s + 6), d3 = vload4(0, s + 9);
      const float4 d4 = vload4(0, s + 12), d5 = vload4(0, s + 15);
      const float4 even1 = color_sum(d4, d2, -Q2), odd1 = color_sum(d3, d1, -Q2);
      const float4 even2 = color_sum(d4, d2, -P2), odd2 = color_sum(d3, d1, -P2);
      vstore4(color_sum(color_sum(d4, d2, -(P2 + Q2)), d0, P2 * Q2), 0, target);
      vstore4(color_sum(even1, odd1, P), 0, target + COLUMN_FLOATS);
      vstore4(color_sum(even1, odd1, -P), 0, target + 2 * COLUMN_FLOATS);
      vstore4(color_sum(even2, odd2, Q), 0, target + 3 * COLUMN_FLOATS);
      vstore4(color_sum(even2, odd2, -Q), 0, target + 4 * COLUMN_FLOATS);
      vstore4(color_sum(color_sum(d5, d3, -(P2 + Q2)), d1, P2 * Q2), 0, target + 5 * COLUMN_FLOATS);
    }
}

// A vector of outputs of a strip of transformed tiles, of which `rows` rows and `columns` columns lie inside. scratch:
// 24 vectors per tile.
APART void multiply_strip(
    local const float *v, const int tiles, global const float *u, const VEC bias, const int finish, global float *y,
    const int row, const int k, const int rows, const int columns, local float *scratch) {
  const VEC floor = least(finish);
  ROLLED for (int j = 0; j < 6; j++) {
    VEC f[6 * COLORS];
    UNROLL for (int e = 0; e < 6 * COLORS; e++)
      f[e] = LOAD(u + ((6 * (e / COLORS) + j) * COLORS + e % COLORS) * PANEL);
    ROLLED for (int tile = 0; tile < tiles; tile++) {
      local const float *point = v + tile * TILE_FLOATS + j * COLUMN_FLOATS;
      VEC m[6], o[4];
      UNROLL for (int i = 0; i < 6; i++) {
        m[i] = f[COLORS * i] * point[4 * i];
        m[i] = fma(f[COLORS * i + 1], (VEC)(point[4 * i + 1]), m[i]);
        m[i] = fma(f[COLORS * i + 2], (VEC)(point[4 * i + 2]), m[i]);
      }
      output_pixels(m[0], m[1], m[2], m[3], m[4], m[5], o, 1);
      UNROLL for (int i = 0; i < 4; i++) STORE(o[i], scratch + (tile * 24 + 6 * i + j) * VECTOR);
    }
  }
  for (int tile = 0; tile < tiles; tile++) {
    const int inside = columns - 4 * tile;
    ROLLED for (int i = 0; i < rows; i++) {
      local const float *s = scratch + (tile * 24 + 6 * i) * VECTOR;
      global float *target = y + (size_t)i * row + (size_t)(4 * tile) * k;
      VEC o[4];
      output_pixels(
          LOAD(s), LOAD(s + VECTOR), LOAD(s + 2 * VECTOR), LOAD(s + 3 * VECTOR), LOAD(s + 4 * VECTOR),
          LOAD(s + 5 * VECTOR), o, 1);
      UNROLL for (int j = 0; j < 4; j++)
        if (j < inside) store_result(at_least(o[j] + bias, floor), target + (size_t)j * k, finish);
    }
  }
}

// Adds the products of a strip of transformed tiles with A dy A^T, for a vector of outputs.
APART void add_strip(
    local const float *v, const int tiles, global const float *dy, const int row, const int k, const int rows,
    const int columns, global float *sums, const int accumulate, local float *scratch) {
  for (int tile = 0; tile < tiles; tile++) {
    const int inside = columns - 4 * tile;
    ROLLED for (int i = 0; i < 4; i++) {
      global const float *s = dy + (size_t)i * row + (size_t)(4 * tile) * k;
      VEC d[4], o[6];
      // What the tile below reads.
      UNROLL for (int j = 0; j < 4; j++) fetch_near(s + (size_t)4 * row + (size_t)j * k);
      UNROLL for (int j = 0; j < 4; j++) d[j] = i < rows && j < inside ? LOAD(s + (size_t)j * k) : ZERO;
      gradient_points(d[0], d[1], d[2], d[3], o, 1);
      UNROLL for (int j = 0; j < 6; j++) STORE(o[j], scratch + (tile * 24 + 4 * j + i) * VECTOR);
    }
  }
  ROLLED for (int j = 0; j < 6; j++) {
    VEC f[6 * COLORS];
#define SUM_AT(e) (sums + ((6 * ((e) / COLORS) + j) * COLORS + (e) % COLORS) * PANEL)
    UNROLL for (int e = 0; e < 6 * COLORS; e++) f[e] = accumulate ? LOAD(SUM_AT(e)) : ZERO;
    ROLLED for (int tile = 0; tile < tiles; tile++) {
      local const float *point = v + tile * TILE_FLOATS + j * COLUMN_FLOATS;
      local const float *s = scratch + (tile * 24 + 4 * j) * VECTOR;
      VEC d[6];
      gradient_points(LOAD(s), LOAD(s + VECTOR), LOAD(s + 2 * VECTOR), LOAD(s + 3 * VECTOR), d, 1);
      UNROLL for (int e = 0; e < 6 * COLORS; e++)
        f[e] = fma(d[e / COLORS], (VEC)(point[e / COLORS * 4 + e % COLORS]), f[e]);
    }
    UNROLL for (int e = 0; e < 6 * COLORS; e++) STORE(f[e], SUM_AT(e));
  }
}

// Copies image number `image`, padded so that its tiles are whole, to `frame`, and calls BODY for its strips: the first
// has number 0; row0 and column0 are its first output pixel, `tiles` its tiles. V lies behind the scratch of a strip.
// scratch: 24 * STRIP * VECTOR + STRIP * TILE_FLOATS floats and those of the frame.
#define FOR_STRIPS(BODY) \
  const int across = (ow + 3) / 4, down = (oh + 3) / 4, width = 4 * across + 2; \
  local float *v = scratch + 24 * STRIP * VECTOR, *frame = v + STRIP * TILE_FLOATS; \
  copy_rows( \
      x + (size_t)image * h * w * COLORS, h, w, COLORS, -padding, 4 * down + 2, -padding, width, 1, frame); \
  for (int row0 = 0; row0 < oh; row0 += 4) \
    for (int column0 = 0; column0 < ow; column0 += 4 * STRIP) { \
      const int tiles = min(STRIP, across - column0 / 4); \
      const int rows = min(4, oh - row0), columns = min(4 * tiles, ow - column0); \
      const size_t pixel = ((size_t)image * oh + row0) * ow + column0; \
      transform_strip(frame + (row0 * width + column0) * COLORS, width * COLORS, tiles, v, scratch); \
      for (int first = 0; first < k; first += VECTOR) { BODY } \
    }

APART void winograd_colors_task(
    const int image, const int h, const int w, const int oh, const int ow, const int k, const int padding,
    global const float *restrict x, global const float *restrict filters, global const float *restrict bias,
    const int finish, global float *restrict y, local float *scratch) {
  FOR_STRIPS(
      multiply_strip(
          v, tiles, filters + (size_t)(first / PANEL) * POINTS * COLORS * PANEL + first % PANEL,
          bias ? LOAD(bias + first) : ZERO, finish, y + pixel * k + first, ow * k, k, rows, columns, scratch);)
}

// k is a multiple of VECTOR.
ONE_ITEM
kernel void winograd_colors_cpu(
    const int h, const int w, const int oh, const int ow, const int k, const int padding,
    global const float *restrict x, global const float *restrict filters, global const float *restrict bias,
    const int finish, global float *restrict y, local float *scratch) {
  winograd_colors_task(get_group_id(0), h, w, oh, ow, k, padding, x, filters, bias, finish, y, scratch);
}

APART void winograd_colors_weight_task(
    const int group, const int groups, const int n, const int h, const int w, const int oh, const int ow, const int k,
    const int padding, global const float *restrict x, global const float *restrict dy, global float *restrict sums,
    local float *scratch) {
  const int panels = (k + PANEL - 1) / PANEL;
  const int begin = n * group / groups, end = n * (group + 1) / groups;
  for (int image = begin; image < end; image++) {
    FOR_STRIPS(
        add_strip(
            v, tiles, dy + pixel * k + first, ow * k, k, rows, columns,
            sums + (size_t)(group * panels + first / PANEL) * POINTS * COLORS * PANEL + first % PANEL,
            image > begin || row0 > 0 || column0 > 0, scratch);)
  }
}

ONE_ITEM
kernel void winograd_colors_weight_cpu(
    const int n, const int h, const int w, const int oh, const int ow, const int k, const int padding,
    global const float *restrict x, global const float *restrict dy, global float *restrict sums,
    local float *scratch) {
  winograd_colors_weight_task(
      get_group_id(0), get_num_groups(0), n, h, w, oh, ow, k, padding, x, dy, sums, scratch);
}
