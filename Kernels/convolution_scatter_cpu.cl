// dx of convolutions with few channels, shaped for CPU runtimes: each pixel of dy times all taps, added to the pixels they
// reach; global (images). Part of convolution_cpu.cl.

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
