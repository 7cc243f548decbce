// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308), shaped for CPU runtimes: 3x3 convolutions
// with stride 1 of NHWC images, tile by tile of 4x4 output pixels from 36 products instead of 144. Input tiles
// V = B^T x B, filters U = G w G^T, products M = V U per point and summed over channels, outputs y = A^T M A. The input
// gradient is the transpose, B (U^T (A dy A^T)) B^T, and that of the filters G^T (V^T (A dy A^T)) G. Points 0, +-5/8,
// +-3/2 and infinity. This file holds the transforms of vectors of channels.
//
// With STRIDE 2 a tile of 4x4 takes 81 products instead of 144. In each dimension the outer taps meet every second of 9
// pixels, as a filter of two taps with stride 1, of which F(4, 2) makes 4 outputs from 5 products (points +-1/2, +-5/4 and
// infinity); the inner tap meets the 4 pixels between. Filters that meet several pixels are stored once: points 0 to 24 have
// one product per tile (outer taps), 25 to 34 four (outer taps of rows, then of columns), 35 has 16. Products of a point lie
// together, those of a tile beside each other.

#ifndef STRIDE
#define STRIDE 1
#endif
#define POINTS 36
#if STRIDE == 1
// Pixels that a tile reads in each dimension, and products of it.
#define SPAN 6
#define PER_TILE(point) 1
#define FIRST_PRODUCT(point) (point)
#define POINT_OF(i, j) (6 * (i) + (j))
#define P 0.625f
#define Q 1.5f
#define SCALE_P (1 / (2 * P2 * (P2 - Q2)))
#define SCALE_Q (1 / (2 * Q2 * (Q2 - P2)))
#else
#define SPAN 9
#define PER_TILE(point) ((point) < 25 ? 1 : (point) < 35 ? 4 : 16)
#define FIRST_PRODUCT(point) ((point) < 25 ? (point) : (point) < 35 ? 4 * (point) - 75 : 65)
// Products of filters: 0 to 4 outer taps, 5 the inner one.
#define POINT_OF(i, j) ((i) < 5 ? ((j) < 5 ? 5 * (i) + (j) : 25 + (i)) : (j) < 5 ? 30 + (j) : 35)
#define P 0.5f
#define Q 1.25f
#define SCALE_P (1 / (2 * P * (P2 - Q2)))
#define SCALE_Q (1 / (2 * Q * (Q2 - P2)))
#endif
#define PRODUCTS (SPAN * SPAN)
#define INTS JOIN(int, VECTOR)
#define P2 (P * P)
#define Q2 (Q * Q)

// c + a * b
INLINE VEC sum(VEC c, VEC a, float b) { return fma(a, (VEC)(b), c); }

// o[i * step] = (B^T d)[i]
INLINE void input_points(VEC d0, VEC d1, VEC d2, VEC d3, VEC d4, VEC d5, VEC *o, int step) {
  const VEC even1 = sum(d4, d2, -Q2), odd1 = sum(d3, d1, -Q2), even2 = sum(d4, d2, -P2), odd2 = sum(d3, d1, -P2);
  o[0] = sum(sum(d4, d2, -(P2 + Q2)), d0, P2 * Q2);
  o[step] = sum(even1, odd1, P);
  o[2 * step] = sum(even1, odd1, -P);
  o[3 * step] = sum(even2, odd2, Q);
  o[4 * step] = sum(even2, odd2, -Q);
  o[5 * step] = sum(sum(d5, d3, -(P2 + Q2)), d1, P2 * Q2);
}

// o[i * step] = (A^T m)[i]
INLINE void output_pixels(VEC m0, VEC m1, VEC m2, VEC m3, VEC m4, VEC m5, VEC *o, int step) {
  const VEC s1 = m1 + m2, d1 = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
  o[0] = m0 + s1 + s2;
  o[step] = sum(d1 * P, d2, Q);
  o[2 * step] = sum(s1 * P2, s2, Q2);
  o[3 * step] = sum(sum(m5, d1, P * P2), d2, Q * Q2);
}

// o[i * step] = (B m)[i]
INLINE void input_gradient(VEC m0, VEC m1, VEC m2, VEC m3, VEC m4, VEC m5, VEC *o, int step) {
  const VEC s1 = m1 + m2, d1 = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
  o[0] = m0 * (P2 * Q2);
  o[step] = sum(sum(m5 * (P2 * Q2), d1, -P * Q2), d2, -Q * P2);
  o[2 * step] = sum(sum(m0 * -(P2 + Q2), s1, -Q2), s2, -P2);
  o[3 * step] = sum(sum(m5 * -(P2 + Q2), d1, P), d2, Q);
  o[4 * step] = m0 + s1 + s2;
  o[5 * step] = m5;
}

// o[i * step] = (A y)[i]
INLINE void gradient_points(VEC y0, VEC y1, VEC y2, VEC y3, VEC *o, int step) {
  const VEC even1 = sum(y0, y2, P2), odd1 = sum(y1, y3, P2), even2 = sum(y0, y2, Q2), odd2 = sum(y1, y3, Q2);
  o[0] = y0;
  o[step] = sum(even1, odd1, P);
  o[2 * step] = sum(even1, odd1, -P);
  o[3 * step] = sum(even2, odd2, Q);
  o[4 * step] = sum(even2, odd2, -Q);
  o[5 * step] = y3;
}

// o[i * step] = (G g)[i]
INLINE void filter_points(VEC g0, VEC g1, VEC g2, VEC *o, int step) {
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
INLINE void filter_taps(VEC u0, VEC u1, VEC u2, VEC u3, VEC u4, VEC u5, VEC *o, int step) {
  const VEC s1 = (u1 + u2) * SCALE_P, d1 = (u1 - u2) * SCALE_P, s2 = (u3 + u4) * SCALE_Q, d2 = (u3 - u4) * SCALE_Q;
  o[0] = u0 * (1 / (P2 * Q2)) + s1 + s2;
  o[step] = sum(d1 * P, d2, Q);
  o[2 * step] = sum(sum(u5, s1, P2), s2, Q2);
}

// Those of a whole row or column.
#if STRIDE == 1
INLINE void input_products(const VEC *d, VEC *o, int step) {
  input_points(d[0], d[1], d[2], d[3], d[4], d[5], o, step);
}
INLINE void output_row(const VEC *m, VEC *o, int step) {
  output_pixels(m[0], m[1], m[2], m[3], m[4], m[5], o, step);
}
INLINE void gradient_products(const VEC *y, VEC *o, int step) {
  gradient_points(y[0], y[1], y[2], y[3], o, step);
}
INLINE void input_gradient_row(const VEC *m, VEC *o, int step) {
  input_gradient(m[0], m[1], m[2], m[3], m[4], m[5], o, step);
}
#else
INLINE void input_products(const VEC *d, VEC *o, int step) {
  const VEC d0 = d[0], d1 = d[2], d2 = d[4], d3 = d[6], d4 = d[8];
  const VEC even1 = sum(d3, d1, -Q2), odd1 = sum(d2, d0, -Q2), even2 = sum(d3, d1, -P2), odd2 = sum(d2, d0, -P2);
  o[0] = sum(even1, odd1, P);
  o[step] = sum(even1, odd1, -P);
  o[2 * step] = sum(even2, odd2, Q);
  o[3 * step] = sum(even2, odd2, -Q);
  o[4 * step] = sum(sum(d4, d2, -(P2 + Q2)), d0, P2 * Q2);
  UNROLL for (int i = 0; i < 4; i++) o[(5 + i) * step] = d[2 * i + 1];
}
INLINE void output_row(const VEC *m, VEC *o, int step) {
  const VEC s1 = m[0] + m[1], d1 = m[0] - m[1], s2 = m[2] + m[3], d2 = m[2] - m[3];
  o[0] = s1 + s2 + m[5];
  o[step] = sum(sum(m[6], d1, P), d2, Q);
  o[2 * step] = sum(sum(m[7], s1, P2), s2, Q2);
  o[3 * step] = sum(sum(m[4] + m[8], d1, P * P2), d2, Q * Q2);
}
INLINE void gradient_products(const VEC *y, VEC *o, int step) {
  const VEC y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
  const VEC even1 = sum(y0, y2, P2), odd1 = sum(y1, y3, P2), even2 = sum(y0, y2, Q2), odd2 = sum(y1, y3, Q2);
  o[0] = sum(even1, odd1, P);
  o[step] = sum(even1, odd1, -P);
  o[2 * step] = sum(even2, odd2, Q);
  o[3 * step] = sum(even2, odd2, -Q);
  o[4 * step] = y3;
  o[5 * step] = y0;
  o[6 * step] = y1;
  o[7 * step] = y2;
  o[8 * step] = y3;
}
INLINE void input_gradient_row(const VEC *m, VEC *o, int step) {
  const VEC s1 = m[0] + m[1], d1 = m[0] - m[1], s2 = m[2] + m[3], d2 = m[2] - m[3];
  const VEC last = m[4];
  o[0] = sum(sum(last * (P2 * Q2), d1, -P * Q2), d2, -Q * P2);
  o[2 * step] = sum(s1 * -Q2, s2, -P2);
  o[4 * step] = sum(sum(last * -(P2 + Q2), d1, P), d2, Q);
  o[6 * step] = s1 + s2;
  o[8 * step] = last;
  UNROLL for (int i = 0; i < 4; i++) o[(2 * i + 1) * step] = m[5 + i];
}
INLINE void filter_products(VEC g0, VEC g1, VEC g2, VEC *o, int step) {
  const VEC a = g0 * SCALE_P, b = g2 * (P * SCALE_P), c = g0 * SCALE_Q, d = g2 * (Q * SCALE_Q);
  o[0] = b + a;
  o[step] = b - a;
  o[2 * step] = d + c;
  o[3 * step] = d - c;
  o[4 * step] = g2;
  o[5 * step] = g1;
}
INLINE void strided_taps(VEC u0, VEC u1, VEC u2, VEC u3, VEC u4, VEC u5, VEC *o, int step) {
  const VEC s1 = u0 + u1, d1 = u0 - u1, s2 = u2 + u3, d2 = u2 - u3;
  o[0] = sum(d1 * SCALE_P, d2, SCALE_Q);
  o[step] = u5;
  o[2 * step] = sum(sum(u4, s1, P * SCALE_P), s2, Q * SCALE_Q);
}
#define filter_points filter_products
#define filter_taps strided_taps
#endif

// Where product (i, j) of tile `at` lies in a block whose tiles are `row` floats long and whose points of one product per
// tile are `stride` apart.
INLINE size_t product_at(int i, int j, int at, int row, size_t stride) {
#if STRIDE == 1
  return (6 * i + j) * stride + (size_t)at * row;
#else
  if (i < 5) return j < 5 ? (5 * i + j) * stride + (size_t)at * row : (25 + 4 * i) * stride + (size_t)(4 * at + j - 5) * row;
  if (j < 5) return (45 + 4 * j) * stride + (size_t)(4 * at + i - 5) * row;
  return 65 * stride + (size_t)(16 * at + 4 * (i - 5) + j - 5) * row;
#endif
}

// Calls BODY(c) for each vector of channels; the last one may overlap the one before.
#define FOR_VECTORS(channels, BODY) \
  for (int v_ = 0; v_ < (channels); v_ += VECTOR) { const int c_ = min(v_, (channels) - VECTOR); BODY(c_) }

// The 4x4 tile number `tile`: its image and first output pixel.
#define PLACE(tile, oh, ow) \
  const int across_ = ((ow) + 3) / 4, down_ = ((oh) + 3) / 4, within_ = (tile) % (across_ * down_); \
  const int image = (tile) / (across_ * down_), row0 = within_ / across_ * 4, column0 = within_ % across_ * 4;

// Memory that is fetched during products, which leave it idle, `lines` cache lines with each tile of sums.
typedef struct {
  global const float *start;
  int lines;
} AHEAD;
#define NOTHING_AHEAD ((AHEAD){0, 0})

// The rows, of `width` floats, of images of `height` rows that tiles from `first` up to `end` read: `span` rows every `step`.
// They are divided among so many tiles of sums.
INLINE AHEAD rows_ahead(
    global const float *images, int first, int end, int oh, int ow, int height, int width, int step, int span, int padding,
    int sum_tiles) {
  if (first >= end) return NOTHING_AHEAD;
  const int across = (ow + 3) / 4, down = (oh + 3) / 4, last = end - 1;
  const int begin = first / (across * down) * height + max(0, first / across % down * step - padding);
  const int row_end = last / (across * down) * height + min(height, last / across % down * step - padding + span);
  return (AHEAD){images + (size_t)begin * width, (int)((size_t)(row_end - begin) * width / 16) / sum_tiles + 1};
}
// What transforms read of images (n, h, w, c), and of dy (n, oh, ow, k) or that of a max pool of 2 x 2.
#define IMAGES_AHEAD(first, end, sum_tiles) \
  rows_ahead(x, first, end, oh, ow, h, w * c, 4 * STRIDE, SPAN, padding, sum_tiles)
#define GRADIENT_AHEAD(first, end, sum_tiles) \
  (winners ? rows_ahead(dy, first, end, oh, ow, oh / 2, ow / 2 * k, 2, 2, 0, sum_tiles) \
           : rows_ahead(dy, first, end, oh, ow, oh, ow * k, 4, 4, 0, sum_tiles))
INLINE void fetch_ahead(AHEAD *ahead) {
  for (int i = 0; i < ahead->lines; i++) fetch_near(ahead->start + 16 * i);
  ahead->start += 16 * ahead->lines;
}

// V of one tile of images (n, h, w, c) with `padding`, as tile `at` of a block in the variable v.
#define TRANSFORM_INPUT(tile, h, w, c, padding, oh, ow, x, v, at, point_stride) \
  { \
    PLACE(tile, oh, ow) \
    const int top = row0 * STRIDE - (padding), left = column0 * STRIDE - (padding), at_ = (at); \
    global const float *source = (x) + (((size_t)image * (h) + top) * (w) + left) * (c); \
    const size_t point_step = (point_stride); \
    const bool is_inside = top >= 0 && left >= 0 && top + SPAN <= (h) && left + SPAN <= (w); \
    if (is_inside) \
      ROLLED for (int i = 0; i < SPAN; i++) fetch(source + ((size_t)i * (w) + SPAN) * (c), 4 * STRIDE * (c)); \
    FOR_VECTORS(c, TRANSFORM_VECTOR) \
  }
#define TRANSFORM_VECTOR(channel) \
  { \
    VEC t[PRODUCTS], o[SPAN], d[SPAN]; \
    ROLLED for (int i = 0; i < SPAN; i++) { \
      global const float *s = source + (ptrdiff_t)i * w * c + channel; \
      if (is_inside) { \
        UNROLL for (int j = 0; j < SPAN; j++) d[j] = LOAD(s + j * c); \
      } else { \
        UNROLL for (int j = 0; j < SPAN; j++) \
          d[j] = top + i >= 0 && top + i < h && left + j >= 0 && left + j < w ? LOAD(s + (ptrdiff_t)j * c) : ZERO; \
      } \
      input_products(d, t + i, SPAN); \
    } \
    ROLLED for (int j = 0; j < SPAN; j++) { \
      input_products(t + SPAN * j, o, 1); \
      UNROLL for (int i = 0; i < SPAN; i++) STORE(o[i], v + product_at(i, j, at_, c, point_step) + channel); \
    } \
  }

// The 4x4 pixels of dy (n, oh, ow, k) of a tile, `count` channels from `first` on. If dy is that of a max pool of 2 x 2,
// with the pixels that won its windows, it is spread over them.
INLINE void load_gradient(
    global const float *dy, global const uchar *winners, int image, int row0, int column0, int oh, int ow, int k, int first,
    int count, VEC *y) {
  if (!winners && row0 + 4 <= oh && column0 + 4 <= ow && count >= VECTOR) {
    global const float *corner = dy + (((size_t)image * oh + row0) * ow + column0) * k + first;
    ROLLED for (int p = 0; p < 16; p++) fetch(corner + ((size_t)(p / 4) * ow + p % 4 + 4) * k, VECTOR);
    ROLLED for (int p = 0; p < 16; p++) y[p] = LOAD(corner + ((size_t)(p / 4) * ow + p % 4) * k);
    return;
  }
  if (!winners) {
    ROLLED for (int p = 0; p < 16; p++) {
      const int row = row0 + p / 4, column = column0 + p % 4;
      y[p] = row < oh && column < ow ? load_part(dy + (((size_t)image * oh + row) * ow + column) * k + first, count)
                                     : ZERO;
    }
    return;
  }
  ROLLED for (int p = 0; p < 4; p++) {
    const int row = row0 / 2 + p / 2, column = column0 / 2 + p % 2, corner = p / 2 * 8 + p % 2 * 2;
    const int is_inside = row < oh / 2 && column < ow / 2;
    const size_t at = (((size_t)image * (oh / 2) + row) * (ow / 2) + column) * k + first;
    const VEC v = is_inside ? LOAD(dy + at) : ZERO;
    const INTS winner = is_inside ? JOIN(convert_int, VECTOR)(JOIN(vload, VECTOR)(0, winners + at)) : (INTS)(0);
    UNROLL for (int q = 0; q < 4; q++) y[corner + q / 2 * 4 + q % 2] = winner == (INTS)(q) ? v : ZERO;
  }
}

// A dy A^T of one tile of one panel, as tile `at` of a block with tiles of `row` floats.
#define TRANSFORM_GRADIENT(tile, oh, ow, k, panel, dy, winners, d, at, row, point_stride) \
  { \
    PLACE(tile, oh, ow) \
    const int at_ = (at); \
    for (int side = 0; side < PANEL; side += VECTOR) { \
      const int first = (panel) * PANEL + side; \
      VEC y[16], t[4 * SPAN], o[SPAN]; \
      load_gradient(dy, winners, image, row0, column0, oh, ow, k, first, (k) - first, y); \
      ROLLED for (int i = 0; i < 4; i++) gradient_products(y + 4 * i, t + i, 4); \
      ROLLED for (int j = 0; j < SPAN; j++) { \
        gradient_products(t + 4 * j, o, 1); \
        UNROLL for (int i = 0; i < SPAN; i++) STORE(o[i], (d) + product_at(i, j, at_, row, point_stride) + side); \
      } \
    } \
  }
