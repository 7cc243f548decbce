// Images in local memory, for direct convolutions on CPU runtimes.

// Copies `rows` rows of an image (h, w, c), from row `top` and column `left` on, `width` columns each; zero where they
// reach beyond it. Of every `step` rows and columns one is copied.
APART void copy_rows(
    global const float *image, int h, int w, int c, int top, int rows, int left, int width, int step,
    local float *target) {
  const int first = clamp(-left, 0, width), last = max(first, min(width, (w - left + step - 1) / step));
  for (int i = 0; i < rows; i++, target += width * c) {
    const int y = top + i * step;
    const int is_inside = y >= 0 && y < h;
    global const float *source = image + ((ptrdiff_t)y * w + left) * c;
    for (int e = 0; e < (is_inside ? first : width) * c; e++) target[e] = 0.0f;
    if (!is_inside) continue;
    if (step == 1) {
      for (int e = first * c; e < last * c; e++) target[e] = source[e];
    } else {
      for (int j = first; j < last; j++)
        for (int e = 0; e < c; e++) target[j * c + e] = source[(size_t)j * step * c + e];
    }
    for (int e = last * c; e < width * c; e++) target[e] = 0.0f;
  }
}

// Of images for a single tap only the pixels that it sees are copied, next to each other: every COPY_STEP-th.
#define COPY_STEP (r == 1 && s == 1 ? stride : 1)
#define COPIED_STRIDE (stride / COPY_STEP)

// Kernels of few channels are specialised: SEGMENT is s * c, TAP_ROWS is r, PIXEL is stride * c, TILE_ROWS the height of all
// tiles, of which the last one may overlap the one before.
#ifndef PIXEL
#define PIXEL (COPIED_STRIDE * c)
#endif
#ifndef SEGMENT
#define SEGMENT (s * c)
#define TAP_ROWS r
#define UNROLL_TAPS
#else
#define UNROLL_TAPS UNROLL
#endif
