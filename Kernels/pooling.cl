// Pooling without padding over NHWC images (n, h, w, c): windows of size x size, `stride` apart. One item per
// value of the result; gradients gather from the windows that hold an input pixel, so that windows may overlap.

// y and, for the gradient, which pixel of the window won: the first in row-major order on ties.
kernel void max_pool(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int size,
    const int stride, global const float *restrict x, global float *restrict y, global uchar *restrict winner) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int channel = i % c, column = i / c % ow, row = i / c / ow % oh, image = i / c / ow / oh;
  global const float *window = x + (((size_t)image * h + row * stride) * w + column * stride) * c + channel;
  float best = window[0];
  int at = 0;
  for (int p = 1; p < size * size; p++) {
    const float v = window[((size_t)(p / size) * w + p % size) * c];
    if (v > best || v != v) { best = v; at = p; }
  }
  y[i] = best;
  winner[i] = (uchar)at;
}

kernel void max_pool_gradient(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int size,
    const int stride, global const float *restrict dy, global const uchar *restrict winner,
    global float *restrict dx) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int channel = i % c, column = i / c % w, row = i / c / w % h, image = i / c / w / h;
  float sum = 0.0f;
  for (int oy = max(0, (row - size + stride) / stride); oy <= min(oh - 1, row / stride); oy++)
    for (int ox = max(0, (column - size + stride) / stride); ox <= min(ow - 1, column / stride); ox++) {
      const int at = (row - oy * stride) * size + column - ox * stride;
      const size_t o = (((size_t)image * oh + oy) * ow + ox) * c + channel;
      if (winner[o] == at) sum += dy[o];
    }
  dx[i] = sum;
}

kernel void average_pool(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int rows,
    const int columns, const int stride, global const float *restrict x, global float *restrict y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int channel = i % c, column = i / c % ow, row = i / c / ow % oh, image = i / c / ow / oh;
  global const float *window = x + (((size_t)image * h + row * stride) * w + column * stride) * c + channel;
  float sum = 0.0f;
  for (int p = 0; p < rows; p++)
    for (int q = 0; q < columns; q++) sum += window[((size_t)p * w + q) * c];
  y[i] = sum / (float)(rows * columns);
}

kernel void average_pool_gradient(
    const int count, const int h, const int w, const int c, const int oh, const int ow, const int rows,
    const int columns, const int stride, global const float *restrict dy, global float *restrict dx) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int channel = i % c, column = i / c % w, row = i / c / w % h, image = i / c / w / h;
  float sum = 0.0f;
  for (int oy = max(0, (row - rows + stride) / stride); oy <= min(oh - 1, row / stride); oy++)
    for (int ox = max(0, (column - columns + stride) / stride); ox <= min(ow - 1, column / stride); ox++)
      sum += dy[(((size_t)image * oh + oy) * ow + ox) * c + channel];
  dx[i] = sum / (float)(rows * columns);
}
