// Images in local memory, for convolutions on CPU runtimes.

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
