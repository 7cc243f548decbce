// Winograd's minimal filtering for 3x3 convolutions with stride 1 (Lavin and Gray, arXiv 1509.09308), shaped for GPUs: tiles
// of EXTENT x EXTENT outputs (4 or 2) from POINTS = (EXTENT + 2)^2 products instead of 9 EXTENT^2. The products of all
// points are one batched matmul_gpu. Interpolation points 0, +-5/8, +-3/2, infinity for 4 x 4, which err 4 to 7 times
// less than 0, +-1, +-2, infinity; 0, +-1, infinity for 2 x 2.
//   V = B^T x B    winograd_input_gpu            U = G w G^T    winograd_filter_gpu
//   y = A^T M A    winograd_output_gpu, M = V U summed over channels
//   dM = A dy A^T  winograd_output_gradient_gpu  dw = G^T dU G  winograd_filter_gradient_gpu, dU = V^T dM
// One item per tile (or filter) and channel: neighbouring items have neighbouring channels. Tiles count from `first`, down
// an image's rows of `across` tiles.
#include "epilogue_gpu.cl"
#ifndef EXTENT
#define EXTENT 4
#endif
#define SIDE (EXTENT + 2)
#define POINTS (SIDE * SIDE)

#if EXTENT == 4
#define P 0.625f
#define Q 1.5f
#define P2 (P * P)
#define Q2 (Q * Q)
#define SCALE_P (1.0f / (2.0f * P2 * (P2 - Q2)))
#define SCALE_Q (1.0f / (2.0f * Q2 * (Q2 - P2)))

inline void input_transform(const float *d, float *v) {
  const float even1 = fma(d[2], -Q2, d[4]), odd1 = P * fma(d[1], -Q2, d[3]);
  const float even2 = fma(d[2], -P2, d[4]), odd2 = Q * fma(d[1], -P2, d[3]);
  v[0] = fma(d[0], P2 * Q2, fma(d[2], -(P2 + Q2), d[4]));
  v[1] = even1 + odd1; v[2] = even1 - odd1; v[3] = even2 + odd2; v[4] = even2 - odd2;
  v[5] = fma(d[1], P2 * Q2, fma(d[3], -(P2 + Q2), d[5]));
}

inline void output_transform(const float *m, float *y) {
  const float s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
  y[0] = m[0] + s1 + s2;
  y[1] = fma(d2, Q, d1 * P);
  y[2] = fma(s2, Q2, s1 * P2);
  y[3] = fma(d2, Q * Q2, fma(d1, P * P2, m[5]));
}

inline void output_gradient_transform(const float *y, float *m) {
  const float even1 = fma(y[2], P2, y[0]), odd1 = P * fma(y[3], P2, y[1]);
  const float even2 = fma(y[2], Q2, y[0]), odd2 = Q * fma(y[3], Q2, y[1]);
  m[0] = y[0]; m[1] = even1 + odd1; m[2] = even1 - odd1; m[3] = even2 + odd2; m[4] = even2 - odd2; m[5] = y[3];
}

inline void filter_transform(const float *g, float *u) {
  const float even1 = fma(g[2], P2, g[0]) * SCALE_P, odd1 = g[1] * (P * SCALE_P);
  const float even2 = fma(g[2], Q2, g[0]) * SCALE_Q, odd2 = g[1] * (Q * SCALE_Q);
  u[0] = g[0] * (1.0f / (P2 * Q2));
  u[1] = even1 + odd1; u[2] = even1 - odd1; u[3] = even2 + odd2; u[4] = even2 - odd2; u[5] = g[2];
}

inline void filter_gradient_transform(const float *u, float *g) {
  const float s1 = (u[1] + u[2]) * SCALE_P, d1 = (u[1] - u[2]) * SCALE_P;
  const float s2 = (u[3] + u[4]) * SCALE_Q, d2 = (u[3] - u[4]) * SCALE_Q;
  g[0] = u[0] * (1.0f / (P2 * Q2)) + s1 + s2;
  g[1] = fma(d2, Q, d1 * P);
  g[2] = fma(s2, Q2, fma(s1, P2, u[5]));
}
#else
inline void input_transform(const float *d, float *v) {
  v[0] = d[0] - d[2]; v[1] = d[1] + d[2]; v[2] = d[2] - d[1]; v[3] = d[1] - d[3];
}

inline void output_transform(const float *m, float *y) {
  y[0] = m[0] + m[1] + m[2];
  y[1] = m[1] - m[2] - m[3];
}

inline void output_gradient_transform(const float *y, float *m) {
  m[0] = y[0]; m[1] = y[0] + y[1]; m[2] = y[0] - y[1]; m[3] = -y[1];
}

inline void filter_transform(const float *g, float *u) {
  const float even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
  u[0] = g[0]; u[1] = even + odd; u[2] = even - odd; u[3] = g[2];
}

inline void filter_gradient_transform(const float *u, float *g) {
  const float even = 0.5f * (u[1] + u[2]);
  g[0] = u[0] + even; g[1] = 0.5f * (u[1] - u[2]); g[2] = even + u[3];
}
#endif

// TRANSFORM on the columns and then on the rows of a matrix (from x from), which becomes (to x to).
#define TRANSFORM_BOTH(TRANSFORM, from, to, source, target) \
  { \
    float half_way[to][from]; \
    _Pragma("unroll") for (int j = 0; j < from; j++) { \
      float line[from], out[to]; \
      _Pragma("unroll") for (int i = 0; i < from; i++) line[i] = source[i][j]; \
      TRANSFORM(line, out); \
      _Pragma("unroll") for (int i = 0; i < to; i++) half_way[i][j] = out[i]; \
    } \
    _Pragma("unroll") for (int i = 0; i < to; i++) TRANSFORM(half_way[i], target[i]); \
  }

// Names of an item's place: `channel` of `channels`, `tile` of `tiles`, and the first row and column of its outputs.
#define TILE_PLACE(channels) \
  if ((int)get_global_id(0) >= tiles * (channels)) return; \
  const int channel = get_global_id(0) % (channels), tile = get_global_id(0) / (channels); \
  const int whole = first + tile, image = whole / (down * across), within = whole % (down * across); \
  const int row0 = within / across * EXTENT, column0 = within % across * EXTENT;

// Images x (n, h, w, c) into V (POINTS, tiles, c). Global (tiles * c).
kernel void winograd_input_gpu(
    const int first, const int tiles, const int h, const int w, const int c, const int down, const int across,
    const int padding, global const float *restrict x, global float *restrict v) {
  TILE_PLACE(c)
  float d[SIDE][SIDE], out[SIDE][SIDE];
  #pragma unroll
  for (int i = 0; i < SIDE; i++)
    #pragma unroll
    for (int j = 0; j < SIDE; j++) {
      const int y = row0 + i - padding, z = column0 + j - padding;
      const bool inside = (uint)y < (uint)h && (uint)z < (uint)w;
      d[i][j] = inside ? x[((image * h + y) * w + z) * c + channel] : 0.0f;
    }
  TRANSFORM_BOTH(input_transform, SIDE, SIDE, d, out)
  #pragma unroll
  for (int i = 0; i < POINTS; i++) v[((size_t)i * tiles + tile) * c + channel] = out[i / SIDE][i % SIDE];
}

// Filters (3, 3, c, k) into U (POINTS, c, k); or rotated by 180 degrees with c and k exchanged, (POINTS, k, c), for the
// input gradient. Global (c * k).
kernel void winograd_filter_gpu(
    const int c, const int k, const int rotated, global const float *restrict weights, global float *restrict u) {
  const int e = get_global_id(0);
  if (e >= c * k) return;
  const int source = rotated ? e % c * k + e / c : e;
  float g[3][3], out[SIDE][SIDE];
  #pragma unroll
  for (int tap = 0; tap < 9; tap++) g[tap / 3][tap % 3] = weights[(rotated ? 8 - tap : tap) * c * k + source];
  TRANSFORM_BOTH(filter_transform, 3, SIDE, g, out)
  #pragma unroll
  for (int i = 0; i < POINTS; i++) u[(size_t)i * c * k + e] = out[i / SIDE][i % SIDE];
}

// M (POINTS, tiles, k) into outputs y (n, oh, ow, k), with the epilogue. Global (tiles * k).
kernel void winograd_output_gpu(
    const int first, const int tiles, const int oh, const int ow, const int k, const int down, const int across,
    global const float *restrict m, global const float *restrict bias, global const float *restrict residual,
    global const float *restrict mask, const int relu, global float *restrict y) {
  TILE_PLACE(k)
  const Epilogue end = {bias, residual, mask, relu};
  float points[SIDE][SIDE], out[EXTENT][EXTENT];
  #pragma unroll
  for (int i = 0; i < POINTS; i++) points[i / SIDE][i % SIDE] = m[((size_t)i * tiles + tile) * k + channel];
  TRANSFORM_BOTH(output_transform, SIDE, EXTENT, points, out)
  #pragma unroll
  for (int i = 0; i < EXTENT; i++)
    #pragma unroll
    for (int j = 0; j < EXTENT; j++)
      if (row0 + i < oh && column0 + j < ow) {
        const size_t at = (size_t)((image * oh + row0 + i) * ow + column0 + j) * k + channel;
        y[at] = finish(end, out[i][j], channel, at);
      }
}

// dy (n, oh, ow, k) into dM (POINTS, tiles, k). Global (tiles * k).
kernel void winograd_output_gradient_gpu(
    const int first, const int tiles, const int oh, const int ow, const int k, const int down, const int across,
    global const float *restrict dy, global float *restrict dm) {
  TILE_PLACE(k)
  float d[EXTENT][EXTENT], out[SIDE][SIDE];
  #pragma unroll
  for (int i = 0; i < EXTENT; i++)
    #pragma unroll
    for (int j = 0; j < EXTENT; j++) {
      const int y = row0 + i, z = column0 + j;
      d[i][j] = y < oh && z < ow ? dy[((image * oh + y) * ow + z) * k + channel] : 0.0f;
    }
  TRANSFORM_BOTH(output_gradient_transform, EXTENT, SIDE, d, out)
  #pragma unroll
  for (int i = 0; i < POINTS; i++) dm[((size_t)i * tiles + tile) * k + channel] = out[i / SIDE][i % SIDE];
}

// dU (POINTS, c, k) into dw (3, 3, c, k). Global (c * k).
kernel void winograd_filter_gradient_gpu(
    const int c, const int k, global const float *restrict du, global float *restrict dw) {
  const int e = get_global_id(0);
  if (e >= c * k) return;
  float u[SIDE][SIDE], out[3][3];
  #pragma unroll
  for (int i = 0; i < POINTS; i++) u[i / SIDE][i % SIDE] = du[(size_t)i * c * k + e];
  TRANSFORM_BOTH(filter_gradient_transform, SIDE, 3, u, out)
  #pragma unroll
  for (int tap = 0; tap < 9; tap++) dw[(size_t)tap * c * k + e] = out[tap / 3][tap % 3];
}
