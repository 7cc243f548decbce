// Batches gathered from a whole data set in device memory. Pixels go through a table of 256 floats, so that they
// are equal on every device bit for bit.

// Images (total, h, w, c) as bytes into (n, h, w, c). With augmentation, sample IDs key a crop out of the image
// with `padding` zeros on every side and a horizontal flip.
kernel void gather_batch(
    const int count, const int total, const int h, const int w, const int c, const int augment, const int padding,
    const int flip, const uint seed_low, const uint seed_high, const uint purpose, const uint epoch,
    global const uchar *restrict images, global const int *restrict indices, global const int *restrict sample_ids,
    global const float *restrict table, global float *restrict out) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int channel = i % c, image = i / c / w / h;
  int column = i / c % w, row = i / c / w % h;
  if (augment) {
    const uint sample = (uint)sample_ids[image], side = 2 * (uint)padding + 1;
    const uint4 words = philox((uint4)(0, sample, epoch, purpose), (uint2)(seed_low, seed_high));
    if (flip && (words.z & 1u)) column = w - 1 - column;
    row += (int)(words.x % side) - padding;
    column += (int)(words.y % side) - padding;
  }
  const int source = clamp(indices[image], 0, total - 1);
  const bool inside = row >= 0 && row < h && column >= 0 && column < w;
  out[i] = inside ? table[images[(((size_t)source * h + row) * w + column) * c + channel]] : 0.0f;
}

// Rows of a table (total, k) of floats or labels; global (n * k).
kernel void gather_rows(
    const int count, const int total, const int k, global const float *restrict table,
    global const int *restrict indices, global float *restrict out) {
  const int i = get_global_id(0);
  if (i < count) out[i] = table[(size_t)clamp(indices[i / k], 0, total - 1) * k + i % k];
}

kernel void gather_labels(
    const int count, const int total, global const int *restrict labels, global const int *restrict indices,
    global int *restrict out) {
  const int i = get_global_id(0);
  if (i < count) out[i] = labels[clamp(indices[i], 0, total - 1)];
}
