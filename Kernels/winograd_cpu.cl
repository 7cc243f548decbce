// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308), shaped for CPU runtimes: 3x3 convolutions
// with stride 1 of NHWC images, tile by tile of 4x4 output pixels from 36 products instead of 144. Input tiles
// V = B^T x B, filters U = G w G^T, products M = V U per point and summed over channels, outputs y = A^T M A; the gradient
// of the filters is G^T (V^T (A dy A^T)) G. Points 0, +-5/8, +-3/2 and infinity.
//   winograd_filter_cpu             global (channels, panels)
//   winograd_cpu                    transforms, products and outputs of a block of tiles in local memory
//   winograd_transform_cpu          transformed tiles into global memory, for large filters, and
//   winograd_multiply_cpu           their products with one panel of filters, and outputs
//   winograd_weight_cpu             products of transformed images and dy, summed over a group of tiles
//   winograd_transform_gradient_cpu transformed tiles of dy into global memory, for large filters, and
//   winograd_weight_multiply_cpu    products of one point, added to the sums of the blocks before
//   winograd_weight_finish_cpu      sums of the groups into dW; global (channels, panels)

#include "product_cpu.cl"

#define POINTS 36
#define P 0.625f
#define Q 1.5f
#define P2 (P * P)
#define Q2 (Q * Q)
#define SCALE_P (1 / (2 * P2 * (P2 - Q2)))
#define SCALE_Q (1 / (2 * Q2 * (Q2 - P2)))

// c + a * b
inline VEC sum(VEC c, VEC a, float b) { return fma(a, (VEC)(b), c); }

// o[i * step] = (B^T d)[i]
inline void input_points(VEC d0, VEC d1, VEC d2, VEC d3, VEC d4, VEC d5, VEC *o, int step) {
  const VEC even1 = sum(d4, d2, -Q2), odd1 = sum(d3, d1, -Q2), even2 = sum(d4, d2, -P2), odd2 = sum(d3, d1, -P2);
  o[0] = sum(sum(d4, d2, -(P2 + Q2)), d0, P2 * Q2);
  o[step] = sum(even1, odd1, P);
  o[2 * step] = sum(even1, odd1, -P);
  o[3 * step] = sum(even2, odd2, Q);
  o[4 * step] = sum(even2, odd2, -Q);
  o[5 * step] = sum(sum(d5, d3, -(P2 + Q2)), d1, P2 * Q2);
}

// o[i * step] = (A^T m)[i]
inline void output_pixels(VEC m0, VEC m1, VEC m2, VEC m3, VEC m4, VEC m5, VEC *o, int step) {
  const VEC s1 = m1 + m2, d1 = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
  o[0] = m0 + s1 + s2;
  o[step] = sum(d1 * P, d2, Q);
  o[2 * step] = sum(s1 * P2, s2, Q2);
  o[3 * step] = sum(sum(m5, d1, P * P2), d2, Q * Q2);
}

// o[i * step] = (A y)[i]
inline void gradient_points(VEC y0, VEC y1, VEC y2, VEC y3, VEC *o, int step) {
  const VEC even1 = sum(y0, y2, P2), odd1 = sum(y1, y3, P2), even2 = sum(y0, y2, Q2), odd2 = sum(y1, y3, Q2);
  o[0] = y0;
  o[step] = sum(even1, odd1, P);
  o[2 * step] = sum(even1, odd1, -P);
  o[3 * step] = sum(even2, odd2, Q);
  o[4 * step] = sum(even2, odd2, -Q);
  o[5 * step] = y3;
}

// o[i * step] = (G g)[i]
inline void filter_points(VEC g0, VEC g1, VEC g2, VEC *o, int step) {
  const VEC even1 = sum(g0, g2, P2) * SCALE_P, odd1 = g1 * (P * SCALE_P);
  const VEC even2 = sum(g0, g2, Q2) * SCALE_Q, odd2 = g1 * (Q * SCALE_Q);
  o[0] = g0 * (1 / (P2 * Q2));
  o[step] = even1 + odd1;
  o[2 * step] = even1 - odd1;
  o[3 * step] = even2 + odd2;
  o[4 * step] = even2 - odd2;
  o[5 * step] = g2;
}

// o[i * step] = (G^T u)[i]
inline void filter_taps(VEC u0, VEC u1, VEC u2, VEC u3, VEC u4, VEC u5, VEC *o, int step) {
  const VEC s1 = (u1 + u2) * SCALE_P, d1 = (u1 - u2) * SCALE_P, s2 = (u3 + u4) * SCALE_Q, d2 = (u3 - u4) * SCALE_Q;
  o[0] = u0 * (1 / (P2 * Q2)) + s1 + s2;
  o[step] = sum(d1 * P, d2, Q);
  o[2 * step] = sum(sum(u5, s1, P2), s2, Q2);
}

// Weights (3, 3, c, k) into U [panel][point][channel][PANEL]: from c to k, or rotated by 180 degrees from k to c.
kernel void winograd_filter_cpu(
    const int c, const int k, const int rotated, global const float *restrict weights, global float *restrict filters) {
  const int channels = rotated ? k : c, outputs = rotated ? c : k;
  const int channel = get_global_id(0), panel = get_global_id(1);
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = min(VECTOR, outputs - first);
    VEC g[9], t[18], u[POINTS];
    UNROLL for (int tap = 0; tap < 9; tap++) {
      global const float *source = weights
        + (rotated ? ((size_t)(8 - tap) * c + first) * k + channel : ((size_t)tap * c + channel) * k + first);
      const int step = rotated ? k : 1;
      float values[VECTOR];
      for (int j = 0; j < VECTOR; j++) values[j] = j < count ? source[(size_t)j * step] : 0.0f;
      g[tap] = LOAD(values);
    }
    UNROLL for (int i = 0; i < 3; i++) filter_points(g[3 * i], g[3 * i + 1], g[3 * i + 2], t + i, 3);
    UNROLL for (int j = 0; j < 6; j++) filter_points(t[3 * j], t[3 * j + 1], t[3 * j + 2], u + j, 6);
    global float *target = filters + (((size_t)panel * POINTS) * channels + channel) * PANEL + side;
    UNROLL for (int p = 0; p < POINTS; p++) STORE(u[p], target + (size_t)p * channels * PANEL);
  }
}

// Calls BODY(c) for each vector of channels; the last one may overlap the one before.
#define FOR_VECTORS(channels, BODY) \
  for (int v_ = 0; v_ < (channels); v_ += VECTOR) { const int c_ = min(v_, (channels) - VECTOR); BODY(c_) }

// The 4x4 tile number `tile`: its image and first output pixel.
#define PLACE(tile, oh, ow) \
  const int across_ = ((ow) + 3) / 4, down_ = ((oh) + 3) / 4, within_ = (tile) % (across_ * down_); \
  const int image = (tile) / (across_ * down_), row0 = within_ / across_ * 4, column0 = within_ % across_ * 4;

// V of one tile of images (n, h, w, c) with `padding`; point p goes to v + p * point_stride.
#define TRANSFORM_INPUT(tile, h, w, c, padding, oh, ow, x, v, point_stride) \
  { \
    PLACE(tile, oh, ow) \
    const int top = row0 - (padding), left = column0 - (padding); \
    global const float *source = (x) + (((size_t)image * (h) + top) * (w) + left) * (c); \
    const size_t point_step = (point_stride); \
    const bool is_inside = top >= 0 && left >= 0 && top + 6 <= (h) && left + 6 <= (w); \
    FOR_VECTORS(c, TRANSFORM_VECTOR) \
  }
#define TRANSFORM_VECTOR(at) \
  { \
    VEC t[POINTS], o[6]; \
    if (is_inside) { \
      UNROLL for (int i = 0; i < 6; i++) { \
        global const float *s = source + (size_t)i * w * c + at; \
        input_points(LOAD(s), LOAD(s + c), LOAD(s + 2 * c), LOAD(s + 3 * c), LOAD(s + 4 * c), LOAD(s + 5 * c), t + i, 6); \
      } \
    } else { \
      UNROLL for (int i = 0; i < 6; i++) { \
        VEC d[6]; \
        UNROLL for (int j = 0; j < 6; j++) \
          d[j] = top + i >= 0 && top + i < h && left + j >= 0 && left + j < w \
            ? LOAD(source + ((ptrdiff_t)i * w + j) * c + at) : (VEC)(0.0f); \
        input_points(d[0], d[1], d[2], d[3], d[4], d[5], t + i, 6); \
      } \
    } \
    UNROLL for (int j = 0; j < 6; j++) { \
      input_points(t[6 * j], t[6 * j + 1], t[6 * j + 2], t[6 * j + 3], t[6 * j + 4], t[6 * j + 5], o, 1); \
      UNROLL for (int i = 0; i < 6; i++) STORE(o[i], v + (6 * i + j) * point_step + at); \
    } \
  }

// A dy A^T of one tile of dy (n, oh, ow, k), one panel; point p goes to d + p * point_stride.
#define TRANSFORM_GRADIENT(tile, oh, ow, k, panel, dy, d, point_stride) \
  { \
    PLACE(tile, oh, ow) \
    for (int side = 0; side < PANEL; side += VECTOR) { \
      const int first = (panel) * PANEL + side, count = (k) - first; \
      VEC t[24], o[6]; \
      UNROLL for (int i = 0; i < 4; i++) { \
        VEC y[4]; \
        UNROLL for (int j = 0; j < 4; j++) \
          y[j] = row0 + i < (oh) && column0 + j < (ow) \
            ? load_part((dy) + (((size_t)image * (oh) + row0 + i) * (ow) + column0 + j) * (k) + first, count) \
            : (VEC)(0.0f); \
        gradient_points(y[0], y[1], y[2], y[3], t + i, 4); \
      } \
      UNROLL for (int j = 0; j < 6; j++) { \
        gradient_points(t[4 * j], t[4 * j + 1], t[4 * j + 2], t[4 * j + 3], o, 1); \
        UNROLL for (int i = 0; i < 6; i++) STORE(o[i], (d) + (size_t)(6 * i + j) * (point_stride) + side); \
      } \
    } \
  }

// Output pixels of one tile of a panel from its products m + p * point_stride, with bias and ReLU.
inline void finish_tile(
    int tile, int panel, int oh, int ow, int k, local const float *m, int point_stride, global const float *bias, int relu,
    global float *y) {
  PLACE(tile, oh, ow)
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = k - first;
    if (count <= 0) return;
    VEC t[24], o[4];
    UNROLL for (int j = 0; j < 6; j++) {
      local const float *s = m + (size_t)j * point_stride + side;
      const size_t step = 6 * (size_t)point_stride;
      output_pixels(LOAD(s), LOAD(s + step), LOAD(s + 2 * step), LOAD(s + 3 * step), LOAD(s + 4 * step), LOAD(s + 5 * step),
          t + j, 6);
    }
    const VEC b = bias ? load_part(bias + first, count) : (VEC)(0.0f);
    UNROLL for (int i = 0; i < 4; i++) {
      if (row0 + i >= oh) break;
      output_pixels(t[6 * i], t[6 * i + 1], t[6 * i + 2], t[6 * i + 3], t[6 * i + 4], t[6 * i + 5], o, 1);
      global float *target = y + (((size_t)image * oh + row0 + i) * ow + column0) * k + first;
      UNROLL for (int j = 0; j < 4; j++)
        if (column0 + j < ow) store_part(rectified(o[j] + b, relu), target + (size_t)j * k, count);
    }
  }
}

// Products of `tiles` transformed tiles with one panel of filters, per point, into m.
#define MULTIPLY_TILE(height, i) \
  { \
    TILE_SUMS(height) \
    TILE_PRODUCT(height, v_ + (size_t)i * c, c, 1, u_, PANEL, c) \
    UNROLL for (int r = 0; r < height; r++) { \
      STORE(s0[r], m_ + (i + r) * PANEL); \
      STORE(s1[r], m_ + (i + r) * PANEL + VECTOR); \
    } \
  }
#define MULTIPLY_TILES(space, tiles, v, v_stride, filters, panel, m, m_stride) \
  for (int point = 0; point < POINTS; point++) { \
    space const float *v_ = (v) + (size_t)point * (v_stride); \
    global const float *u_ = (filters) + ((size_t)(panel) * POINTS + point) * c * PANEL; \
    local float *m_ = (m) + point * (m_stride); \
    FOR_TILES(tiles, MULTIPLY_TILE) \
  }

// scratch: POINTS * (block * (c + PANEL) + 32) floats; `block` is a multiple of LOW.
ONE_ITEM
kernel void winograd_cpu(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int k, const int padding,
    global const float *restrict x, global const float *restrict filters, global const float *restrict bias,
    const int relu, global float *restrict y, const int block, local float *scratch) {
  const int first = get_group_id(0) * block, tiles = min(block, count - first);
  const int v_stride = block * c + 16, m_stride = block * PANEL + 16;
  local float *m = scratch + POINTS * v_stride;
  for (int t_ = 0; t_ < (tiles + LOW - 1) / LOW * LOW; t_++) {
    local float *v = scratch + t_ * c;
    TRANSFORM_INPUT(min(first + t_, count - 1), h, w, c, padding, oh, ow, x, v, v_stride)
  }
  for (int panel = 0; panel * PANEL < k; panel++) {
    MULTIPLY_TILES(local, tiles, scratch, v_stride, filters, panel, m, m_stride)
    for (int t = 0; t < tiles; t++) finish_tile(first + t, panel, oh, ow, k, m + t * PANEL, m_stride, bias, relu, y);
  }
}

// One item per `step` tiles of the block that starts at tile `start`; V with room for `block` tiles, a multiple of LOW,
// as `step` is.
ONE_ITEM
kernel void winograd_transform_cpu(
    const int start, const int end, const int h, const int w, const int c, const int oh, const int ow, const int padding,
    global const float *restrict x, global float *restrict values, const int block, const int step) {
  const int first = start + get_group_id(0) * step;
  const int rounded = start + (end - start + LOW - 1) / LOW * LOW;
  for (int t_ = first; t_ < min(first + step, rounded); t_++) {
    global float *v = values + (size_t)(t_ - start) * c;
    TRANSFORM_INPUT(min(t_, end - 1), h, w, c, padding, oh, ow, x, v, ((size_t)block * c + 16))
  }
}

// Part get_group_id(0) of the block and panel get_group_id(1). scratch: POINTS * (part * PANEL + 16) floats.
ONE_ITEM
kernel void winograd_multiply_cpu(
    const int start, const int end, const int c, const int oh, const int ow, const int k,
    global const float *restrict values, global const float *restrict filters, global const float *restrict bias,
    const int relu, global float *restrict y, const int block, const int part, local float *scratch) {
  const int first = start + get_group_id(0) * part, tiles = min(part, end - first), panel = get_group_id(1);
  const int m_stride = part * PANEL + 16;
  MULTIPLY_TILES(
      global, tiles, values + (size_t)(first - start) * c, ((size_t)block * c + 16), filters, panel, scratch, m_stride)
  for (int t = 0; t < tiles; t++)
    finish_tile(first + t, panel, oh, ow, k, scratch + t * PANEL, m_stride, bias, relu, y);
}

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
    TILE_SUMS(height) \
    TILE_PRODUCT(height, v_ + i, 1, c, d_, PANEL, tiles) \
    ADD_SUMS(height, i, sums_, start > begin) \
  }

// Group g sums over its share of the tiles. sums: [group][panel][point][c][PANEL]; scratch: POINTS * (block * (c +
// panels * PANEL) + 16 * (1 + panels)) floats.
ONE_ITEM
kernel void winograd_weight_cpu(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int k, const int padding,
    global const float *restrict x, global const float *restrict dy, global float *restrict sums, const int block,
    local float *scratch) {
  const int group = get_group_id(0), groups = get_num_groups(0), panels = (k + PANEL - 1) / PANEL;
  const int begin = (long)count * group / groups, end = (long)count * (group + 1) / groups;
  const int v_stride = block * c + 16, d_stride = block * PANEL + 16;
  local float *gradients = scratch + POINTS * v_stride;
  for (int start = begin; start < end; start += block) {
    const int tiles = min(block, end - start);
    for (int t = 0; t < tiles; t++) {
      local float *v = scratch + t * c;
      TRANSFORM_INPUT(start + t, h, w, c, padding, oh, ow, x, v, v_stride)
      for (int panel = 0; panel < panels; panel++) {
        local float *d = gradients + panel * POINTS * d_stride + t * PANEL;
        TRANSFORM_GRADIENT(start + t, oh, ow, k, panel, dy, d, d_stride)
      }
    }
    for (int panel = 0; panel < panels; panel++)
      for (int point = 0; point < POINTS; point++) {
        local const float *v_ = scratch + point * v_stride;
        local const float *d_ = gradients + (panel * POINTS + point) * d_stride;
        global float *sums_ = sums + (((size_t)group * panels + panel) * POINTS + point) * c * PANEL;
        FOR_TILES(c, SUM_TILE)
      }
  }
}

// One item per `step` tiles and panel, as [panel][point][tile][PANEL] with room for `block` tiles.
ONE_ITEM
kernel void winograd_transform_gradient_cpu(
    const int start, const int end, const int oh, const int ow, const int k, global const float *restrict dy,
    global float *restrict gradients, const int block, const int step) {
  const int first = start + get_group_id(0) * step, panel = get_group_id(1), d_stride = block * PANEL + 16;
  for (int t = first; t < min(first + step, end); t++) {
    global float *d = gradients + (size_t)panel * POINTS * d_stride + (t - start) * PANEL;
    TRANSFORM_GRADIENT(t, oh, ow, k, panel, dy, d, d_stride)
  }
}

// Sums of one point for `part` panels. V is gathered for a tile of sums, so that it stays in the first-level cache.
#define GATHERED_TILE(height, i) \
  { \
    for (int t = 0; t < tiles; t++) \
      UNROLL for (int r = 0; r < height; r++) scratch[t * height + r] = i + r < c ? v[(size_t)t * c + i + r] : 0.0f; \
    for (int panel = first; panel < last; panel++) { \
      global const float *d = gradients + ((size_t)panel * POINTS + point) * d_stride; \
      global float *target = sums + ((size_t)panel * POINTS + point) * c * PANEL; \
      TILE_SUMS(height) \
      TILE_PRODUCT(height, scratch, 1, height, d, PANEL, tiles) \
      ADD_SUMS(height, i, target, accumulate) \
    } \
  }

// scratch: HEIGHT * tiles floats.
ONE_ITEM
kernel void winograd_weight_multiply_cpu(
    const int tiles, const int c, const int k, global const float *restrict values,
    global const float *restrict gradients, global float *restrict sums, const int block, const int part,
    const int accumulate, local float *scratch) {
  const int point = get_group_id(0), first = get_group_id(1) * part, last = min(first + part, (k + PANEL - 1) / PANEL);
  const int d_stride = block * PANEL + 16;
  global const float *v = values + (size_t)point * ((size_t)block * c + 16);
  FOR_TILES(c, GATHERED_TILE)
}

// Sums of `groups` groups, [group][panel][point][c][PANEL], into dW (3, 3, c, k). Global (channels, panels).
kernel void winograd_weight_finish_cpu(
    const int groups, const int c, const int k, global const float *restrict sums, global float *restrict dw) {
  const int channel = get_global_id(0), panel = get_global_id(1), panels = get_global_size(1);
  for (int side = 0; side < PANEL; side += VECTOR) {
    const int first = panel * PANEL + side, count = k - first;
    if (count <= 0) return;
    VEC u[POINTS], t[18], g[3];
    UNROLL for (int p = 0; p < POINTS; p++) u[p] = (VEC)(0.0f);
    for (int group = 0; group < groups; group++) {
      global const float *source
        = sums + (((size_t)group * panels + panel) * POINTS * c + channel) * PANEL + side;
      UNROLL for (int p = 0; p < POINTS; p++) u[p] += LOAD(source + (size_t)p * c * PANEL);
    }
    UNROLL for (int j = 0; j < 6; j++) filter_taps(u[j], u[6 + j], u[12 + j], u[18 + j], u[24 + j], u[30 + j], t + j, 6);
    UNROLL for (int i = 0; i < 3; i++) {
      filter_taps(t[6 * i], t[6 * i + 1], t[6 * i + 2], t[6 * i + 3], t[6 * i + 4], t[6 * i + 5], g, 1);
      UNROLL for (int j = 0; j < 3; j++) store_part(g[j], dw + ((size_t)(3 * i + j) * c + channel) * k + first, count);
    }
  }
}
