// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308), shaped for CPU runtimes: 3x3 convolutions
// with stride 1 of NHWC images, tile by tile of 4x4 output pixels from 36 products instead of 144. Input tiles
// V = B^T x B, filters U = G w G^T, products M = V U per point and summed over channels, outputs y = A^T M A. The input
// gradient is the transpose, B (U^T (A dy A^T)) B^T, and that of the filters G^T (V^T (A dy A^T)) G. Points 0, +-5/8,
// +-3/2 and infinity. This file holds the transforms of vectors of channels.

#define POINTS 36
#define INTS JOIN(int, VECTOR)
#define P 0.625f
#define Q 1.5f
#define P2 (P * P)
#define Q2 (Q * Q)
#define SCALE_P (1 / (2 * P2 * (P2 - Q2)))
#define SCALE_Q (1 / (2 * Q2 * (Q2 - P2)))

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
    if (is_inside) \
      ROLLED for (int i = 0; i < 6; i++) fetch(source + ((size_t)i * (w) + 6) * (c), 4 * (c)); \
    FOR_VECTORS(c, TRANSFORM_VECTOR) \
  }
#define TRANSFORM_VECTOR(at) \
  { \
    VEC t[POINTS], o[6]; \
    if (is_inside) { \
      ROLLED for (int i = 0; i < 6; i++) { \
        global const float *s = source + (size_t)i * w * c + at; \
        input_points(LOAD(s), LOAD(s + c), LOAD(s + 2 * c), LOAD(s + 3 * c), LOAD(s + 4 * c), LOAD(s + 5 * c), t + i, 6); \
      } \
    } else { \
      ROLLED for (int i = 0; i < 6; i++) { \
        VEC d[6]; \
        UNROLL for (int j = 0; j < 6; j++) \
          d[j] = top + i >= 0 && top + i < h && left + j >= 0 && left + j < w \
            ? LOAD(source + ((ptrdiff_t)i * w + j) * c + at) : ZERO; \
        input_points(d[0], d[1], d[2], d[3], d[4], d[5], t + i, 6); \
      } \
    } \
    ROLLED for (int j = 0; j < 6; j++) { \
      input_points(t[6 * j], t[6 * j + 1], t[6 * j + 2], t[6 * j + 3], t[6 * j + 4], t[6 * j + 5], o, 1); \
      UNROLL for (int i = 0; i < 6; i++) STORE(o[i], v + (6 * i + j) * point_step + at); \
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

// A dy A^T of one tile of one panel; point p goes to d + p * point_stride.
#define TRANSFORM_GRADIENT(tile, oh, ow, k, panel, dy, winners, d, point_stride) \
  { \
    PLACE(tile, oh, ow) \
    for (int side = 0; side < PANEL; side += VECTOR) { \
      const int first = (panel) * PANEL + side; \
      VEC y[16], t[24], o[6]; \
      load_gradient(dy, winners, image, row0, column0, oh, ow, k, first, (k) - first, y); \
      ROLLED for (int i = 0; i < 4; i++) gradient_points(y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3], t + i, 4); \
      ROLLED for (int j = 0; j < 6; j++) { \
        gradient_points(t[4 * j], t[4 * j + 1], t[4 * j + 2], t[4 * j + 3], o, 1); \
        UNROLL for (int i = 0; i < 6; i++) STORE(o[i], (d) + (size_t)(6 * i + j) * (point_stride) + side); \
      } \
    } \
  }
