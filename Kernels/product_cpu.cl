// CPU-shaped products: one item computes ROWS x PANEL values with two float16 per row; B lies in zero-padded
// panels of PANEL columns, [panel][depth][PANEL].
#define ROWS 8
#define PANEL 32

// Stores 32 values of one row, as far as the row reaches, after bias and ReLU.
inline void store_panel(
    float16 v0, float16 v1, global float *target, int count, global const float *bias, int relu) {
  if (count >= PANEL) {
    if (bias) { v0 += vload16(0, bias); v1 += vload16(1, bias); }
    if (relu) { v0 = select(v0, (float16)(0.0f), v0 < (float16)(0.0f)); v1 = select(v1, (float16)(0.0f), v1 < (float16)(0.0f)); }
    vstore16(v0, 0, target);
    vstore16(v1, 1, target);
    return;
  }
  float values[PANEL];
  vstore16(v0, 0, values);
  vstore16(v1, 1, values);
  for (int j = 0; j < count; j++) {
    float v = values[j] + (bias ? bias[j] : 0.0f);
    target[j] = relu && v < 0.0f ? 0.0f : v;
  }
}
